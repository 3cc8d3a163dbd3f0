"""FLAC (RFC 9639): split concatenated files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from asr_gru.audio.containers.layout import Extent, Layout

__all__ = ["flac_layout"]

MAGIC = b"fLaC"
STREAM_INFO = 38
"""Bytes in a STREAMINFO block and its header."""
READ_BYTES = 1 << 20


def flac_layout(path: Path) -> Layout:
    """Split concatenated FLAC files into links."""
    starts = []
    size = path.stat().st_size
    with path.open("rb") as file:
        kept, position = b"", 0
        while data := file.read(READ_BYTES):
            window = kept + data
            offset = window.find(MAGIC)
            while offset >= 0:
                starts.append(position - len(kept) + offset)
                offset = window.find(MAGIC, offset + 1)
            position += len(data)
            kept = window[-len(MAGIC) + 1 :]
        starts = [start for start in starts if _is_stream_info(_read(file, start))]
    if len(starts) < 2:
        return Layout()
    stops = [*starts[1:], size]
    return Layout(tuple((Extent(*ends),) for ends in zip(starts, stops, strict=True)))


def _read(file: BinaryIO, position: int) -> bytes:
    file.seek(position)
    return file.read(len(MAGIC) + STREAM_INFO)


def _is_stream_info(head: bytes) -> bool:
    """Return whether ``head`` starts a FLAC file, rather than being ``fLaC`` within samples."""
    sizes = int.from_bytes(head[8:10], "big"), int.from_bytes(head[10:12], "big")
    return (
        len(head) == len(MAGIC) + STREAM_INFO
        and head[4] & 0x7F == 0
        and head[5:8] == b"\0\0\x22"
        and 16 <= sizes[0] <= sizes[1]
    )
