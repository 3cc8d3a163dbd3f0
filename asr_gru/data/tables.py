"""Tab-separated manifests with a header and without quoting: the package's, and Common Voice's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from asr_gru.data.utterance import Utterance, recording_path, seconds, written_path
from asr_gru.errors import DataError

__all__ = ["read_table", "table_lines"]

COLUMNS = ("path", "duration_s", "speaker", "source", "text", "written")
START = "start_s"
REQUIRED = ("path", "text")
COMMON_VOICE = ("client_id", "path", "sentence")
CLIPS = "clips"


def read_table(
    path: Path, lines: Iterable[tuple[int, str]], root: Path | None = None
) -> list[Utterance]:
    """Read a table; its first line is the header.

    A table with the columns ``client_id``, ``path`` and ``sentence`` and without ``text`` is a list
    of a Common Voice release, whose recordings are in the folder ``clips`` next to it.

    Raises:
        DataError: a column is missing or duplicated, or a line does not match the header.
    """
    rows = iter(lines)
    _, first = next(rows, (1, ""))
    header = first.split("\t")
    is_common_voice = "text" not in header and set(COMMON_VOICE) <= set(header)
    missing = [name for name in REQUIRED if name not in header]
    if missing and not is_common_voice:
        raise DataError(
            f"{path}: no column {' and '.join(missing)}; "
            "the first line names the columns, separated by tabs"
        )
    duplicate = next((name for name in header if header.count(name) > 1), None)
    if duplicate is not None:
        raise DataError(f"{path}: two columns {duplicate!r}; take one out")
    base = root or path.parent
    utterances = []
    for number, line in rows:
        where = f"{path}:{number}"
        row = _row(line, header, where)
        if is_common_voice:
            utterances.append(_common_voice(row, base / CLIPS, where))
        else:
            utterances.append(_utterance(row, base, where))
    return utterances


def _row(line: str, header: Sequence[str], where: str) -> dict[str, str]:
    fields = line.split("\t")
    if len(fields) != len(header):
        raise DataError(f"{where}: {len(fields)} columns where the header has {len(header)}")
    return dict(zip(header, fields, strict=True))


def _utterance(row: dict[str, str], base: Path, where: str) -> Utterance:
    duration_s = seconds(row.get("duration_s"), "duration_s", where)
    start_s = seconds(row[START], START, where) if row.get(START) else None
    if start_s is not None and not duration_s:
        raise DataError(f"{where}: a segment without duration_s; give how long it is")
    return Utterance(
        path=recording_path(row["path"], base, where),
        text=row["text"],
        duration_s=duration_s,
        speaker=row.get("speaker", ""),
        source=row.get("source", ""),
        written=row.get("written", ""),
        start_s=start_s,
    )


def _common_voice(row: dict[str, str], clips: Path, where: str) -> Utterance:
    sentence = " ".join(row["sentence"].split())
    return Utterance(
        path=recording_path(row["path"], clips, where, absolute=False),
        text=sentence,
        speaker=row["client_id"],
        source="common-voice",
        written=sentence,
    )


def table_lines(utterances: Sequence[Utterance], folder: Path) -> list[str]:
    """Return the lines of a table; paths under its folder become relative to it.

    Raises:
        DataError: a field with a tab or a line break, which the format cannot hold.
    """
    has_segments = any(u.start_s is not None for u in utterances)
    lines = ["\t".join((*COLUMNS, START) if has_segments else COLUMNS)]
    for u in utterances:
        name = written_path(u.path, folder)
        fields = [name, f"{u.duration_s:g}", u.speaker, u.source, u.text, u.written]
        if has_segments:
            fields[1] = f"{u.duration_s:.6g}"
            fields.append("" if u.start_s is None else f"{u.start_s:.10g}")
        if any(mark in field for field in fields for mark in "\t\r\n"):
            raise DataError(f"{u.path}: a tab or line break in its line; take it out")
        lines.append("\t".join(fields))
    return lines
