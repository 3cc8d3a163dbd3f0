"""Writers that save a live session to files while it runs.

The file on disk is complete after every final. Nothing is buffered in the process, so nothing is
lost if it crashes.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr_gru.audio import Resampler
from asr_gru.errors import ConfigError, Error, did_you_mean
from asr_gru.files import readable_name, write_bytes
from asr_gru.formats.json import write_json
from asr_gru.formats.srt import srt_cue
from asr_gru.formats.subtitles import Cue, cues
from asr_gru.formats.txt import write_txt
from asr_gru.formats.vtt import VTT_HEADER, vtt_cue
from asr_gru.live.wav import WavFile
from asr_gru.results import Event, Segment, Transcript

if TYPE_CHECKING:
    from asr_gru.live.records import AudioBlock

__all__ = ["SUFFIXES", "AudioWriter", "SessionWriter", "check_new"]


class SessionWriter:
    """Writes the finals of a session to a new file.

    The suffix chooses the format: ``.txt`` (one line per segment), ``.srt`` and ``.vtt``
    (subtitles) and ``.jsonl`` (one JSON object per line) are appended to; ``.json`` is rewritten
    after each final. Times are session times.

    Args:
        path: a file that does not exist or is empty.

    Raises:
        ConfigError: unknown suffix.
        Error: the file exists and is not empty.
        OSError: the file cannot be created.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_new(path, SUFFIXES)
        self._format = SUFFIXES[self.path.suffix.lower()](readable_name(self.path.stem))
        self._file = None if isinstance(self._format, _Json) else self.path.open("ab", buffering=0)
        self._pending = b""
        self._enqueue(self._format.begin())

    def __enter__(self) -> SessionWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, event: Event) -> None:
        """Write a final; partials are ignored.

        Raises:
            Error: the file cannot be written. The text is kept, and is written with the next
                final or by ``close``.
        """
        if event.kind == "final":
            self._enqueue(self._format.add(event.to_segment()))

    def close(self) -> None:
        """Write pending text and close the file; raises as ``write`` does."""
        try:
            if self._pending:
                self._write()
        finally:
            if self._file is not None:
                self._file.close()

    def _enqueue(self, text: str) -> None:
        data = text.encode()
        self._pending = data if self._file is None else self._pending + data
        self._write()

    def _write(self) -> None:
        try:
            if self._file is None:
                write_bytes(self.path, self._pending)
                self._pending = b""
            while self._pending and self._file is not None:
                self._pending = self._pending[self._file.write(self._pending) or 0 :]
        except OSError as error:
            raise Error(
                f"{self.path}: {error.strerror or error}; {len(self._pending)} bytes are kept "
                "and will be written with the next segment"
            ) from None


class _Text:
    """Plain text, one line per segment; base class of all formats."""

    def __init__(self, name: str) -> None:
        self._name = name

    def begin(self) -> str:
        return ""

    def add(self, segment: Segment) -> str:
        return write_txt(_as_transcript(segment), self._name)


class _Subtitles(_Text, ABC):
    """Base class of subtitles; keeps cues from overlapping."""

    _end_s = 0.0

    def add(self, segment: Segment) -> str:
        text = ""
        for cue in cues(_as_transcript(segment)):
            start_s = max(cue.start_s, self._end_s)
            self._end_s = max(cue.end_s, start_s)
            text += self._cue(Cue(start_s, self._end_s, cue.lines))
        return text

    @abstractmethod
    def _cue(self, cue: Cue) -> str:
        """Return one cue in this format."""


class _Srt(_Subtitles):
    _count = 0

    def _cue(self, cue: Cue) -> str:
        self._count += 1
        return srt_cue(self._count, cue) + "\n"


class _Vtt(_Subtitles):
    def begin(self) -> str:
        return VTT_HEADER

    def _cue(self, cue: Cue) -> str:
        return vtt_cue(cue)


class _JsonLines(_Text):
    def add(self, segment: Segment) -> str:
        return json.dumps(segment.to_dict(), ensure_ascii=False) + "\n"


class _Json(_Text):
    """Returns the complete document each time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._segments: list[Segment] = []

    def begin(self) -> str:
        return write_json(Transcript((), 0.0), self._name)

    def add(self, segment: Segment) -> str:
        self._segments.append(segment)
        return write_json(Transcript(tuple(self._segments), segment.end_s), self._name)


SUFFIXES: Mapping[str, Callable[[str], _Text]] = {
    ".txt": _Text,
    ".srt": _Srt,
    ".vtt": _Vtt,
    ".json": _Json,
    ".jsonl": _JsonLines,
}
"""The formats of ``SessionWriter`` by suffix."""


class AudioWriter:
    """Writes the audio of a session to a 16-bit mono WAV file at the first block's sample rate.

    Positions in the file are session times: gaps, and audio that could not be written to a full
    disk, are filled with silence, and audio at other sample rates is resampled. The file can be
    read at any time.

    Args:
        path: a file that ends in ``.wav`` and does not exist or is empty.

    Raises:
        ConfigError: unknown suffix.
        Error: the file exists and is not empty.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_new(path, [".wav"])
        self._file: WavFile | None = None
        self._from_rate = self._to_rate = 0
        self._is_behind = False

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, block: AudioBlock) -> None:
        """Append a block.

        Raises:
            Error: the file cannot be created or written, or exists by now. Later blocks may still
                be written; missing audio between them becomes silence.
        """
        try:
            self._write(block)
        except OSError as error:
            self._is_behind = True
            raise Error(
                f"{self.path}: {error.strerror or error}; audio from {block.start_s:.1f} s on is "
                "silent in this file until it can be written again"
            ) from None

    def close(self) -> None:
        """Close the file; raises as ``write`` does."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            raise Error(f"{self.path}: {error.strerror or error}") from None

    def _write(self, block: AudioBlock) -> None:
        if self._file is None:
            if not self._to_rate:  # another program may have created it since
                check_new(self.path, [".wav"])
            self._to_rate = block.sample_rate
            self._file = WavFile(self.path, self._to_rate)
        if block.sample_rate != self._from_rate:
            self._from_rate = block.sample_rate
            self._resampler = Resampler(self._from_rate, self._to_rate)
        missing = round(block.start_s * self._to_rate) - self._file.samples
        min_gap = 0 if self._is_behind else 0.5 * self._to_rate  # smaller differences may be lag
        if missing > min_gap:
            self._resampler = Resampler(self._from_rate, self._to_rate)
            while missing > 0:
                self._file.append(np.zeros(min(missing, self._to_rate), np.float32))
                missing -= self._to_rate
        self._file.append(self._resampler.feed(block.samples))
        self._is_behind = False


def check_new(path: str | Path, suffixes: Mapping[str, object] | list[str]) -> Path:
    """Return ``path`` if a session may be written there.

    Raises:
        ConfigError: its suffix is not one of ``suffixes``.
        Error: the file exists and is not empty, or its folder does not exist.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ConfigError(
            f"{path}: unknown suffix{did_you_mean(suffix, suffixes)}; "
            f"the name must end in {', '.join(suffixes)}"
        )
    if path.is_dir() or (path.is_file() and path.stat().st_size):
        raise Error(f"{path}: already exists; give another file, or remove it")
    if not path.parent.is_dir():
        raise Error(f"{path}: there is no folder {path.parent}; create it, or give another file")
    return path


def _as_transcript(segment: Segment) -> Transcript:
    return Transcript((segment,), float("inf"))
