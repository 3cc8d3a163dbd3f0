"""The output: parts of several recordings each, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

import fsspec
import pyarrow as pa
import pyarrow.parquet

from asr_gru.errors import DataError
from asr_gru.files import write_bytes
from recipes.archive.sources import ArchiveRecording, is_url, reason_of

__all__ = ["Format", "OutputFolder", "Part", "plan_parts"]

Format = Literal["jsonl", "parquet"]

_WORD = {
    "text": pa.string(),
    "start_s": pa.float64(),
    "end_s": pa.float64(),
    "confidence": pa.float64(),
}
_SEGMENT = {
    "id": pa.int64(),
    "start_s": pa.float64(),
    "end_s": pa.float64(),
    "text": pa.string(),
    "words": pa.list_(pa.struct(_WORD)),
}
SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "start_s": pa.float64(),
        "duration_s": pa.float64(),
        "text": pa.string(),
        "segments": pa.list_(pa.struct(_SEGMENT)),
        "error": pa.string(),
    }
)
"""Columns of a part; ``error`` is null, or ``text`` and ``segments`` are."""


@dataclass(frozen=True, slots=True)
class Part:
    """Recordings that are transcribed by one worker and written to one file."""

    recordings: tuple[ArchiveRecording, ...]

    @property
    def name(self) -> str:
        """Stem of the file, derived from the recordings: a part that is done again replaces it."""
        keys = json.dumps([recording.key for recording in self.recordings])
        return f"part-{hashlib.sha256(keys.encode()).hexdigest()[:16]}"


def plan_parts(
    recordings: Iterable[ArchiveRecording],
    finished: set[tuple[str, float | None]],
    size: int,
) -> list[Part]:
    """Return parts of up to ``size`` recordings each, without those that are finished."""
    left = [recording for recording in recordings if recording.key not in finished]
    return [Part(tuple(left[first : first + size])) for first in range(0, len(left), size)]


class OutputFolder:
    """A folder or bucket of parts.

    Args:
        url: a folder, or the URL of one; created when the first part is written.
        format: JSON lines or Parquet.

    Raises:
        DataError: it cannot be reached, is a file, or holds parts of the other format.
    """

    def __init__(self, url: str, format: Format) -> None:  # noqa: A002
        self.url = url if is_url(url) else str(Path(url).absolute())
        self.format = format
        try:
            self._files, self._folder = fsspec.core.url_to_fs(self.url)
            is_file = self._files.isfile(self._folder)
            other: Format = "jsonl" if format == "parquet" else "parquet"
            others = [] if is_file else self._parts(other)
        except Exception as error:  # noqa: BLE001 - see reason_of
            raise DataError(f"{url}: {reason_of(error)}") from None
        if is_file:
            raise DataError(f"{url}: a file; give a folder")
        if others:
            raise DataError(f"{url}: holds parts in {other}; give another folder or --format")

    def _parts(self, suffix: Format) -> list[str]:
        try:  # no glob: the name of the folder may have brackets
            names = self._files.ls(self._folder, detail=False)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if PurePath(name).match(f"part-*.{suffix}"))

    def _path(self, part: Part) -> str:
        return f"{self._folder}/{part.name}.{self.format}"

    def finished(self) -> set[tuple[str, float | None]]:
        """Return the keys of all recordings in finished parts, those with an error included."""
        return {(row["path"], row["start_s"]) for row in self.rows(["path", "start_s"])}

    def rows(self, columns: Sequence[str] = tuple(SCHEMA.names)) -> Iterator[dict[str, Any]]:
        """Yield the rows of all parts.

        Raises:
            DataError: a part is damaged.
        """
        for name in self._parts(self.format):
            try:
                with self._files.open(name, "rb") as file:
                    if self.format == "parquet":
                        yield from pa.parquet.read_table(file, columns=list(columns)).to_pylist()
                    else:
                        for line in file:
                            row = json.loads(line)
                            yield {column: row[column] for column in columns}
            except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
                raise DataError(f"{name}: damaged ({error}); delete it and run again") from None

    def write(self, part: Part, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a part; it is there only once it is whole."""
        data = _parquet(rows) if self.format == "parquet" else _json_lines(rows)
        if is_url(self.url):  # object stores show an object once it is uploaded
            self._files.pipe_file(self._path(part), data)
        else:
            path = Path(self._path(part))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, data)


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA)
    pa.parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
