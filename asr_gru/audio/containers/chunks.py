"""Chunked formats: WAV (RIFF, RF64, W64), AIFF, CAF; and AU, which has a single chunk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from asr_gru.audio.containers.layout import Extent, Layout

__all__ = ["au_layout", "chunk_layout", "find_data_chunk"]

STREAMED = 0x7FFFFF00
"""Sizes from here up mean "unknown" in files that were written to a pipe."""
UNKNOWN = 0xFFFFFFFF
MAX_CHUNKS = 10_000
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")


@dataclass(frozen=True, slots=True)
class _ChunkFormat:
    """How a format encodes its chunks.

    Attributes:
        start: offset of the first chunk.
        id_size: bytes in a chunk id.
        size_size: bytes in the size field.
        order: byte order of the size field.
        data: id of the chunk that holds the samples.
        align: chunks start at multiples of this many bytes.
        size_includes_header: whether the size counts the id and the size field.
    """

    start: int
    id_size: int
    size_size: int
    order: str
    data: bytes
    align: int = 2
    size_includes_header: bool = False


CHUNK_FORMATS = {
    b"RIFF": _ChunkFormat(12, 4, 4, "little", b"data"),
    b"RF64": _ChunkFormat(12, 4, 4, "little", b"data"),
    b"BW64": _ChunkFormat(12, 4, 4, "little", b"data"),
    b"RIFX": _ChunkFormat(12, 4, 4, "big", b"data"),
    b"FORM": _ChunkFormat(12, 4, 4, "big", b"SSND"),
    b"caff": _ChunkFormat(8, 4, 8, "big", b"data", align=1),
    b"riff": _ChunkFormat(
        40, 16, 8, "little", b"data" + W64_TAIL, align=8, size_includes_header=True
    ),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Id of a chunk, offset of its contents, and their size according to its header."""

    name: bytes
    start: int
    size: int


def find_data_chunk(
    file: BinaryIO, kind: _ChunkFormat, size: int
) -> tuple[Chunk | None, list[Chunk]]:
    """Return the data chunk, or None, and the chunks before it."""
    before: list[Chunk] = []
    position = kind.start
    while position + kind.id_size + kind.size_size <= size and len(before) < MAX_CHUNKS:
        file.seek(position)
        head = file.read(kind.id_size + kind.size_size)
        length = int.from_bytes(head[kind.id_size :], "big" if kind.order == "big" else "little")
        length -= len(head) if kind.size_includes_header else 0
        chunk = Chunk(head[: kind.id_size], position + len(head), max(0, length))
        if chunk.name == kind.data:
            return chunk, before
        before.append(chunk)
        position = -(-(chunk.start + chunk.size) // kind.align) * kind.align
    return None, before


def chunk_layout(path: Path, magic: bytes) -> Layout:
    """Compare the declared size of the data chunk with the size of the file.

    In a WAV file whose size field was never filled in (0, as its writer could not seek back),
    samples extend to the end of the file unless other chunks follow.
    """
    kind = CHUNK_FORMATS[magic]
    size = path.stat().st_size
    with path.open("rb") as file:
        chunk, before = find_data_chunk(file, kind, size)
        if chunk is None:
            return Layout()
        available = size - chunk.start
        declared = chunk.size
        if magic in {b"RF64", b"BW64"} and declared == UNKNOWN:
            declared = _size_in_ds64(file, before)
        if (
            magic == b"RIFF"
            and declared == 0
            and available
            and not _is_chunks(file, chunk.start, size)
        ):
            length = min(available, UNKNOWN).to_bytes(4, "little")
            at = chunk.start - 4
            return Layout(((Extent(0, at), length, Extent(chunk.start, size)),))
    is_known = 0 < declared < (STREAMED if kind.size_size == 4 and magic == b"RIFF" else 1 << 62)
    return Layout(is_truncated=is_known and declared > available)


def _size_in_ds64(file: BinaryIO, before: list[Chunk]) -> int:
    for chunk in before:
        if chunk.name == b"ds64":
            file.seek(chunk.start + 8)
            return int.from_bytes(file.read(8), "little")
    return 0


def _is_chunks(file: BinaryIO, position: int, size: int) -> bool:
    """Return whether ``position`` to the end of the file is a valid sequence of chunks."""
    for _ in range(MAX_CHUNKS):
        if position >= size:
            return True
        file.seek(position)
        head = file.read(8)
        if len(head) < 8 or not all(32 <= byte < 127 for byte in head[:4]):
            return False
        length = int.from_bytes(head[4:], "little")
        position += 8 + length + (length & 1)
        if position > size + 1:
            return False
    return False


def au_layout(path: Path) -> Layout:
    """Compare the declared size of an AU file with the size of the file."""
    with path.open("rb") as file:
        head = file.read(24)
    order = "big" if head[:4] == b".snd" else "little"
    start, declared = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))  # type: ignore[arg-type]
    return Layout(is_truncated=0 < declared < UNKNOWN and declared > path.stat().st_size - start)
