"""Manifests with one JSON object per line: NeMo's, and lhotse's cuts and supervisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from asr_gru.data.lines import numbered_lines
from asr_gru.data.utterance import Utterance, recording_path, seconds, written_path
from asr_gru.errors import DataError

__all__ = ["json_lines", "read_json_lines"]

SUPERVISIONS, RECORDINGS = "supervisions", "recordings"
CUT_TYPES = ("MonoCut", "Cut")


class _Source(msgspec.Struct):
    type: str
    source: str
    channels: tuple[int, ...] = (0,)


class _Recording(msgspec.Struct):
    id: str
    sources: tuple[_Source, ...]
    duration: float = 0.0


class _Supervision(msgspec.Struct):
    start: float
    duration: float
    recording_id: str = ""
    text: str | None = None
    speaker: str | None = None


class _Line(msgspec.Struct):
    """The keys that are used, of all three formats."""

    audio_filepath: str | None = None
    text: str | None = None
    duration: float | None = None
    offset: float | None = None
    speaker: str | int | None = None
    source: str = ""
    written: str = ""
    type: str | None = None
    start: float = 0.0
    recording: _Recording | None = None
    recording_id: str = ""
    supervisions: tuple[_Supervision, ...] | None = None


def read_json_lines(
    path: Path, lines: Iterable[tuple[int, str]], root: Path | None = None
) -> list[Utterance]:
    """Read a manifest with one JSON object per line.

    - NeMo: ``audio_filepath`` and ``text``, and optionally ``duration``, ``offset``, ``speaker``.
    - lhotse cuts: each supervision of a cut is an utterance. A cut must be a part of a single
      recording (``MonoCut``) in a file.
    - lhotse supervisions: their recordings are read from the file in the same folder whose name has
      ``recordings`` in place of ``supervisions``.

    Raises:
        DataError: a line has none of these formats, or a recording is not a file.
    """
    base = root or path.parent
    recordings: dict[str, _Recording] | None = None
    utterances: list[Utterance] = []
    for number, line in lines:
        where = f"{path}:{number}"
        entry = _decode(line, _Line, where)
        if entry.audio_filepath is not None:
            utterances.append(_nemo(entry, base, where))
        elif entry.supervisions is not None:
            utterances += _cut(entry, base, where)
        elif entry.recording_id:
            if recordings is None:
                recordings = _recordings(path)
            supervision = _decode(line, _Supervision, where)
            if entry.recording_id not in recordings:
                raise DataError(f"{where}: no recording {entry.recording_id!r}; add it")
            recording = recordings[entry.recording_id]
            utterances.append(_supervised(supervision, recording, 0.0, base, where))
        else:
            raise DataError(
                f"{where}: neither audio_filepath and text (NeMo) nor a cut or supervision (lhotse)"
            )
    return utterances


def _decode(line: str, kind: Any, where: str) -> Any:
    try:
        return msgspec.json.decode(line.strip(), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataError(f"{where}: {error}; write one JSON object per line") from None


def _nemo(entry: _Line, base: Path, where: str) -> Utterance:
    if entry.text is None:
        raise DataError(f"{where}: no text; add what is said")
    duration_s = seconds(entry.duration, "duration", where)
    start_s = None if entry.offset is None else seconds(entry.offset, "offset", where)
    if start_s is not None and not duration_s:
        raise DataError(f"{where}: offset without duration; give how long the segment is")
    return Utterance(
        path=recording_path(entry.audio_filepath or "", base, where),
        text=_join_lines(entry.text),
        duration_s=duration_s,
        speaker="" if entry.speaker is None else _join_lines(str(entry.speaker)),
        source=_join_lines(entry.source),
        written=_join_lines(entry.written),
        start_s=start_s,
    )


def _cut(entry: _Line, base: Path, where: str) -> Iterator[Utterance]:
    if entry.type not in (None, *CUT_TYPES):
        raise DataError(
            f"{where}: a {entry.type}, but only cuts of a single recording are read (MonoCut); "
            "save the audio of the cuts with lhotse"
        )
    if entry.recording is None:
        raise DataError(f"{where}: a cut without a recording; features alone cannot be used")
    for supervision in entry.supervisions or ():
        yield _supervised(supervision, entry.recording, entry.start, base, where)


def _supervised(
    supervision: _Supervision, recording: _Recording, cut_start_s: float, base: Path, where: str
) -> Utterance:
    if supervision.text is None:
        raise DataError(f"{where}: a supervision without text; add what is said")
    if len(recording.sources) != 1 or len(recording.sources[0].channels) != 1:
        raise DataError(f"{where}: a recording of several files or channels; make it mono")
    (source,) = recording.sources
    if source.type != "file":
        raise DataError(f"{where}: a recording from a {source.type}; save it as a file")
    start_s = seconds(max(0.0, cut_start_s + supervision.start), "start", where)
    duration_s = seconds(supervision.duration, "duration", where)
    if not duration_s:
        raise DataError(f"{where}: a supervision without duration; give how long it is")
    is_whole = start_s == 0.0 and abs(duration_s - recording.duration) < 0.001
    return Utterance(
        path=recording_path(source.source, base, where),
        text=_join_lines(supervision.text),
        duration_s=duration_s,
        speaker=_join_lines(supervision.speaker or ""),
        start_s=None if is_whole else start_s,
    )


def _recordings(path: Path) -> dict[str, _Recording]:
    """Read the recordings that belong to a file of supervisions."""
    if SUPERVISIONS not in path.name:
        raise DataError(
            f"{path}: supervisions without their recordings; "
            "name the files ...supervisions... and ...recordings..., or give cuts"
        )
    beside = path.with_name(path.name.replace(SUPERVISIONS, RECORDINGS))
    found = {}
    for number, line in numbered_lines(beside, f"it has the recordings of {path.name}"):
        recording = _decode(line, _Recording, f"{beside}:{number}")
        found[recording.id] = recording
    return found


def _join_lines(text: str) -> str:
    return " ".join(text.split())


def json_lines(utterances: Sequence[Utterance], folder: Path) -> list[str]:
    """Return lines in NeMo's form; paths under the folder become relative to it."""
    lines = []
    for u in utterances:
        entry: dict[str, object] = {
            "audio_filepath": written_path(u.path, folder),
            "duration": round(u.duration_s, 6),
            "text": u.text,
        }
        if u.start_s is not None:
            entry["offset"] = round(u.start_s, 6)
        for name in ("speaker", "source", "written"):
            if getattr(u, name):
                entry[name] = getattr(u, name)
        lines.append(msgspec.json.encode(entry).decode())
    return lines
