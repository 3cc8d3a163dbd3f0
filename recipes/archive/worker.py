"""What each worker does: load the recogniser once, then transcribe part after part."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import fsspec

from asr_gru import Recognizer, Transcript
from asr_gru.audio.discovery import SUFFIXES
from asr_gru.data.audio import load_audio
from asr_gru.data.utterance import Utterance
from asr_gru.errors import AudioError, Error
from asr_gru.streaming.recordings import AudioInput
from asr_gru.training.ahead import map_ahead
from recipes.archive.parts import Format, OutputFolder, Part
from recipes.archive.sources import ArchiveRecording, is_url, reason_of

__all__ = ["PartTranscriber", "Settings"]

DOWNLOADS = 2
"""Recordings of a bucket that are fetched at once while others are transcribed."""
TRIES, PAUSE_S = 3, 1.0
"""How often a recording of a bucket is fetched, and the pause after the first failure."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of all workers."""

    output: str
    format: Format
    model: str
    batch_size: int


class PartTranscriber:
    """An actor of Ray Data; it maps the recordings of a part to a summary of what was written."""

    def __init__(self, settings: Settings) -> None:
        self._output = OutputFolder(settings.output, settings.format)
        self._recognizer = Recognizer.load(settings.model)
        self._batch_size = settings.batch_size

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Transcribe and write one part; what an earlier try wrote is replaced.

        Returns:
            ``recordings`` written and their ``audio_s``; ``unreadable``, those with an error in
            place of a text; ``unreachable``, names that could not be fetched and are not written;
            ``seconds``, ``host`` and ``pid``.
        """
        began = time.monotonic()
        part = Part(tuple(ArchiveRecording(**fields) for fields in row["recordings"]))
        unreachable: list[str] = []
        with tempfile.TemporaryDirectory() as scratch:
            rows = self._transcribe(part, Path(scratch), unreachable)
        if rows:
            self._output.write(part, rows)
        return {
            "recordings": len(rows),
            "audio_s": sum(row["duration_s"] or 0.0 for row in rows),
            "unreadable": sum(row["error"] is not None for row in rows),
            "unreachable": unreachable,
            "seconds": time.monotonic() - began,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }

    def _transcribe(
        self, part: Part, scratch: Path, unreachable: list[str]
    ) -> list[dict[str, Any]]:
        sent: list[ArchiveRecording] = []
        rows: list[dict[str, Any]] = []

        def sources() -> Iterator[AudioInput]:
            fetched = map_ahead(
                lambda numbered: _fetch(numbered[1], scratch / str(numbered[0])),
                enumerate(part.recordings),
                DOWNLOADS if any(is_url(one.path) for one in part.recordings) else 0,
            )
            for recording, source in zip(part.recordings, fetched, strict=True):
                if isinstance(source, Exception):
                    unreachable.append(f"{recording.path}: {reason_of(source)}")
                    continue
                try:
                    samples = self._segment(recording, source)
                except AudioError as error:
                    rows.append(_row(recording, error))
                    continue
                sent.append(recording)
                yield samples

        results = self._recognizer.transcribe_batch(
            sources(), self._recognizer.info.sample_rate, batch_size=self._batch_size
        )
        for number, (source, result) in enumerate(results):
            row = _row(sent[number], result)
            if isinstance(source, Path) and source.is_relative_to(scratch):
                source.unlink()
                row["error"] = row["error"] and row["error"].replace(str(source), row["path"])
            rows.append(row)
        return sorted(rows, key=lambda row: (row["path"], row["start_s"] or 0.0))

    def _segment(self, recording: ArchiveRecording, path: Path) -> AudioInput:
        if recording.start_s is None:
            return path
        utterance = Utterance(
            path, text="", start_s=recording.start_s, duration_s=recording.duration_s
        )
        return load_audio(utterance, self._recognizer.info.sample_rate)


def _fetch(recording: ArchiveRecording, stem: Path) -> Path | Exception:
    """Return a local path of the recording, copied from a bucket, or why it cannot be fetched."""
    if not is_url(recording.path):
        return Path(recording.path)
    suffix = PurePosixPath(urlsplit(recording.path).path).suffix  # without a signature behind it
    local = stem.with_name(stem.name + suffix * (suffix.lower() in SUFFIXES))
    for number in range(TRIES):
        try:
            files, name = fsspec.core.url_to_fs(recording.path)
            files.get_file(name, str(local))
        except Exception as error:  # noqa: BLE001 - see reason_of
            failed = error
            time.sleep(PAUSE_S * 2**number if number + 1 < TRIES else 0.0)
        else:
            return local
    return failed


def _row(recording: ArchiveRecording, result: Transcript | Error) -> dict[str, Any]:
    row: dict[str, Any] = {"path": recording.path, "start_s": recording.start_s}
    if isinstance(result, Error):
        return row | {"duration_s": None, "text": None, "segments": None, "error": str(result)}
    whole = result.to_dict()
    return row | {key: whole[key] for key in ("duration_s", "text", "segments")} | {"error": None}
