"""Manifests of transcribed recordings: tab-separated, with a header, without quoting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_gru.errors import DataError
from asr_gru.files import write_bytes

__all__ = ["Utterance", "check_files", "read_manifest", "write_manifest"]

COLUMNS = ("path", "duration_s", "speaker", "source", "text", "written")
REQUIRED = ("path", "text")
LONGEST_LINE = 1_000_000


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a manifest.

    Attributes:
        path: the recording.
        text: transcript in spoken form.
        duration_s: duration in seconds, or 0 if the manifest does not give it.
        speaker: speaker id, or "".
        source: corpus that the recording is from, or "".
        written: transcript in written form, or "".
    """

    path: Path
    text: str
    duration_s: float = 0.0
    speaker: str = ""
    source: str = ""
    written: str = ""


def read_manifest(path: str | Path, *, root: str | Path | None = None) -> list[Utterance]:
    """Read a manifest; relative paths are relative to its folder, or to ``root``.

    The columns ``path`` and ``text`` are required; ``duration_s``, ``speaker``, ``source`` and
    ``written`` are optional; other columns are ignored.

    Raises:
        DataError: the file is missing or not UTF-8, a column is missing or duplicated, or a line is
            too long or does not match the header.
    """
    path = Path(path)
    base = Path(root) if root is not None else path.parent
    utterances = []
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            header = _fields(file.readline(LONGEST_LINE), f"{path}:1")
            missing = [name for name in REQUIRED if name not in header]
            if missing:
                raise DataError(
                    f"{path}: no column {' and '.join(missing)}; "
                    "the first line names the columns, separated by tabs"
                )
            twice = next((name for name in header if header.count(name) > 1), None)
            if twice is not None:
                raise DataError(f"{path}: two columns {twice!r}; take one out")
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), 2):
                if line.strip():
                    utterances.append(_parse(line, header, base, f"{path}:{number}"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a manifest (a .tsv file)") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; give a manifest (a .tsv file)") from None
    return utterances


def _fields(line: str, where: str) -> list[str]:
    if len(line) == LONGEST_LINE:
        raise DataError(f"{where}: longer than {LONGEST_LINE} characters; not a manifest's line")
    return line.rstrip("\r\n").split("\t")


def _parse(line: str, header: Sequence[str], base: Path, where: str) -> Utterance:
    fields = _fields(line, where)
    if len(fields) != len(header):
        raise DataError(f"{where}: {len(fields)} columns where the header has {len(header)}")
    row = dict(zip(header, fields, strict=True))
    if not row["path"] or "\0" in row["path"]:
        raise DataError(f"{where}: no path of a recording")
    try:
        duration_s = float(row.get("duration_s") or 0.0)
    except ValueError:
        duration_s = math.nan
    if not 0.0 <= duration_s < math.inf:
        raise DataError(f"{where}: duration_s is {row['duration_s']!r}; write seconds, such as 3.5")
    return Utterance(
        path=base / row["path"],
        text=row["text"],
        duration_s=duration_s,
        speaker=row.get("speaker", ""),
        source=row.get("source", ""),
        written=row.get("written", ""),
    )


def check_files(utterances: Iterable[Utterance]) -> None:
    """Raise DataError, naming the first, when recordings are not there."""
    absent = [utterance.path for utterance in utterances if not _is_file(utterance.path)]
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise DataError(f"{absent[0]}{more}: named in the manifest, but not there")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the system knows
        return False


def write_manifest(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest; paths under its folder become relative to it.

    Raises:
        DataError: a field with a tab or a line break, which the format cannot hold.
    """
    path = Path(path)
    folder = path.parent.absolute()
    lines = ["\t".join(COLUMNS)]
    for u in utterances:
        recording = u.path.absolute()
        inside = recording.is_relative_to(folder)
        name = recording.relative_to(folder) if inside else recording
        fields = (name.as_posix(), f"{u.duration_s:g}", u.speaker, u.source, u.text, u.written)
        if any(mark in field for field in fields for mark in "\t\r\n"):
            raise DataError(f"{u.path}: a tab or line break in its line; take it out")
        lines.append("\t".join(fields))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, ("\n".join(lines) + "\n").encode())
