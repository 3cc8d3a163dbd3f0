"""Reading the JSON lines that a run writes, which may be cut or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

__all__ = ["read_json_lines"]

MAX_LINE_BYTES = 1_000_000
T = TypeVar("T")


def read_json_lines(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield the values of a file, one for each line; there are none if it does not exist.

    Lines that are damaged or not of this kind are left out.

    Raises:
        OSError: the file exists and cannot be read.
    """
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            try:
                value = decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            yield value
