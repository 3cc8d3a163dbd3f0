"""Reads text files (plain, gzip or xz) in bounded memory, and writes them atomically."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from asr_gru.errors import DataError
from asr_gru.files import replace_file

__all__ = ["create_text", "read_blocks", "read_lines"]

BLOCK_BYTES = 1 << 23
MAX_LINE_BYTES = 1 << 20
MAX_TEXT_BYTES = 1 << 36
"""64 GiB after decompression, which no text here reaches but a decompression bomb does."""


def read_blocks(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> Iterator[tuple[int, str]]:
    """Yield blocks of whole lines, each with the number of its first line (from 1).

    A byte order mark at the beginning is skipped.

    Args:
        path: path of a text, which is compressed if its name ends in ``.gz`` or ``.xz``.
        max_bytes: maximum number of bytes after decompression.

    Raises:
        DataError: the file cannot be read, is truncated or too large, or is not UTF-8 (with the
            line).
    """
    number, total, rest = 1, 0, b""
    try:
        with _open(path) as file:
            while data := file.read(BLOCK_BYTES):
                data = data if total else data.removeprefix(BOM_UTF8)
                total += len(data)
                if total > max_bytes:
                    raise DataError(
                        f"{path}: more than {max_bytes >> 20} MiB after decompression; split it"
                    )
                end = data.rfind(b"\n") + 1
                if not end:
                    rest += data
                else:
                    block = _decode(path, rest + data[:end], number)
                    yield number, block
                    number += block.count("\n")
                    rest = data[end:]
                if len(rest) > BLOCK_BYTES + MAX_LINE_BYTES:
                    raise DataError(f"{path}: line {number}: longer than 8 MiB; break it up")
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}: truncated or damaged; compress it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; give a text file") from None
    if rest:
        yield number, _decode(path, rest, number)


def read_lines(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> Iterator[tuple[int, str]]:
    """Yield numbered lines (from 1) without line ends; errors as ``read_blocks``."""
    for first, block in read_blocks(path, max_bytes):
        lines = block.split("\n")
        if not lines[-1]:
            lines.pop()
        for number, line in enumerate(lines, start=first):
            yield number, line.removesuffix("\r")


@contextmanager
def create_text(path: Path) -> Iterator[IO[str]]:
    """Open a text for atomic writing, compressed if its name ends in ``.gz`` or ``.xz``."""
    with replace_file(path) as file:
        packed: IO[bytes] | gzip.GzipFile | lzma.LZMAFile = file
        if path.suffix == ".gz":
            packed = gzip.GzipFile(fileobj=file, mode="wb", mtime=0)
        elif path.suffix == ".xz":
            packed = lzma.LZMAFile(file, "wb", preset=9)  # noqa: SIM115
        text = io.TextIOWrapper(packed, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()
        if packed is not file:
            packed.close()


def _open(path: Path) -> gzip.GzipFile | IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return path.open("rb")


def _decode(path: Path, data: bytes, number: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = number + data.count(b"\n", 0, error.start)
        raise DataError(f"{path}: line {line}: not UTF-8; convert it") from None
