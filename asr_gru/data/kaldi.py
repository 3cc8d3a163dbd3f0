"""Kaldi data directories: ``wav.scp``, ``text``, ``segments``, ``utt2spk``, ``utt2dur``."""

from __future__ import annotations

import re
from pathlib import Path

from asr_gru.data.lines import numbered_lines
from asr_gru.data.utterance import Utterance, listing, recording_path, seconds
from asr_gru.errors import DataError

__all__ = ["TEXT", "WAV_SCP", "read_kaldi"]

WAV_SCP, TEXT, SEGMENTS, SPEAKERS, DURATIONS = "wav.scp", "text", "segments", "utt2spk", "utt2dur"
IN_ARCHIVE = re.compile(r":\d+$")


def read_kaldi(folder: Path, root: Path | None = None) -> list[Utterance]:
    """Read a data directory; relative paths are relative to it, or to ``root``.

    ``wav.scp`` may name files only. Commands (lines that end in ``|``) are never run.

    Raises:
        DataError: ``wav.scp`` or ``text`` is missing, a line is malformed or names a command or an
            archive, or an utterance has no text or no recording.
    """
    paths = _recordings(folder / WAV_SCP, root or folder)
    texts = _table(folder / TEXT)
    speakers = _table(folder / SPEAKERS) if (folder / SPEAKERS).is_file() else {}
    durations = _table(folder / DURATIONS) if (folder / DURATIONS).is_file() else {}
    segments = _segments(folder / SEGMENTS) if (folder / SEGMENTS).is_file() else None
    audio = paths if segments is None else segments
    without_text = [name for name in audio if name not in texts]
    if without_text:
        raise DataError(f"{folder / TEXT}: no text of {listing(without_text)}; add what is said")
    without_audio = [name for name in texts if name not in audio]
    if without_audio:
        missing = SEGMENTS if segments is not None else WAV_SCP
        raise DataError(f"{folder / missing}: has no {listing(without_audio)}, which {TEXT} has")
    unknown = dict.fromkeys(rec for rec, _, _ in (segments or {}).values() if rec not in paths)
    if unknown:
        raise DataError(f"{folder / WAV_SCP}: has no {listing(unknown)}; add the paths")
    utterances = []
    for name, text in texts.items():
        recording, start_s, duration_s = (
            segments[name]
            if segments is not None
            else (name, None, seconds(durations.get(name), DURATIONS, f"{folder}: {name}"))
        )
        utterances.append(
            Utterance(
                path=paths[recording],
                text=" ".join(text.split()),
                duration_s=duration_s,
                speaker=speakers.get(name, "").strip(),
                start_s=start_s,
            )
        )
    return utterances


def _recordings(path: Path, base: Path) -> dict[str, Path]:
    found = {}
    for name, value in _table(path).items():
        where, value = f"{path}: {name}", value.strip()
        if value.endswith("|") or value.startswith("|") or value == "-":
            raise DataError(
                f"{where}: {value[:80]!r} is a command, which is never run; "
                "write the recordings to files and name those"
            )
        if IN_ARCHIVE.search(value):
            raise DataError(f"{where}: {value[:80]!r} is in an archive; write it to a file")
        found[name] = recording_path(value, base, where)
    return found


def _segments(path: Path) -> dict[str, tuple[str, float | None, float]]:
    found: dict[str, tuple[str, float | None, float]] = {}
    for name, value in _table(path).items():
        where, fields = f"{path}: {name}", value.split()
        if len(fields) != 3:
            raise DataError(f"{where}: {value[:80]!r}; write RECORDING START END")
        start_s, end_s = (seconds(field, "a time", where) for field in fields[1:])
        if end_s <= start_s:
            raise DataError(f"{where}: ends at {fields[2]}, not after its start at {fields[1]}")
        found[name] = (fields[0], start_s, round(end_s - start_s, 6))
    return found


def _table(path: Path) -> dict[str, str]:
    """Read a file of names and values, one pair per line."""
    found: dict[str, str] = {}
    for number, line in numbered_lines(path, "give a Kaldi data directory, with wav.scp and text"):
        name, _, value = line.strip().replace("\t", " ").partition(" ")
        if name in found:
            raise DataError(f"{path}:{number}: {name} a second time; take one out")
        found[name] = value
    return found
