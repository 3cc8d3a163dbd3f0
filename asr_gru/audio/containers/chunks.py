"""Files of chunks: WAV and its kin (RIFF, RF64, W64), AIFF, CAF; and AU, which has one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from asr_gru.audio.containers.layout import Extent, Layout

__all__ = ["au_layout", "chunk_layout", "find_chunk"]

STREAMED = 0x7FFFFF00
"""Sizes from here on stand for "not known" in files that were written to a pipe."""
UNKNOWN = 0xFFFFFFFF
MOST_CHUNKS = 10_000
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a family of files writes its chunks.

    Attributes:
        start: where the first chunk lies.
        id_size: bytes of a chunk's name.
        size_size: bytes of its length.
        order: of the length's bytes.
        data: the name of the chunk of samples.
        align: chunks begin at multiples of this.
        counts_head: whether the length includes name and length.
    """

    start: int
    id_size: int
    size_size: int
    order: str
    data: bytes
    align: int = 2
    counts_head: bool = False


KINDS = {
    b"RIFF": _Kind(12, 4, 4, "little", b"data"),
    b"RF64": _Kind(12, 4, 4, "little", b"data"),
    b"BW64": _Kind(12, 4, 4, "little", b"data"),
    b"RIFX": _Kind(12, 4, 4, "big", b"data"),
    b"FORM": _Kind(12, 4, 4, "big", b"SSND"),
    b"caff": _Kind(8, 4, 8, "big", b"data", align=1),
    b"riff": _Kind(40, 16, 8, "little", b"data" + W64_TAIL, align=8, counts_head=True),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its name, where its content lies, and how long its header says it is."""

    name: bytes
    start: int
    size: int


def find_chunk(file: BinaryIO, kind: _Kind, size: int) -> tuple[Chunk | None, list[Chunk]]:
    """Return the chunk of samples, and those in front of it."""
    before: list[Chunk] = []
    position = kind.start
    while position + kind.id_size + kind.size_size <= size and len(before) < MOST_CHUNKS:
        file.seek(position)
        head = file.read(kind.id_size + kind.size_size)
        length = int.from_bytes(head[kind.id_size :], "big" if kind.order == "big" else "little")
        length -= len(head) if kind.counts_head else 0
        chunk = Chunk(head[: kind.id_size], position + len(head), max(0, length))
        if chunk.name == kind.data:
            return chunk, before
        before.append(chunk)
        position = -(-(chunk.start + chunk.size) // kind.align) * kind.align
    return None, before


def chunk_layout(path: Path, magic: bytes) -> Layout:
    """Compare the length of the samples that a file announces with what is there.

    A WAV file whose length was never filled in (0, because its writer could not go back) holds
    samples up to its end, unless further chunks follow.
    """
    kind = KINDS[magic]
    size = path.stat().st_size
    with path.open("rb") as file:
        chunk, before = find_chunk(file, kind, size)
        if chunk is None:
            return Layout()
        there = size - chunk.start
        announced = chunk.size
        if magic in {b"RF64", b"BW64"} and announced == UNKNOWN:
            announced = _size_in_ds64(file, before)
        if (
            magic == b"RIFF"
            and announced == 0
            and there
            and not _is_chunks(file, chunk.start, size)
        ):
            length = min(there, UNKNOWN).to_bytes(4, "little")
            at = chunk.start - 4
            return Layout(((Extent(0, at), length, Extent(chunk.start, size)),))
    is_known = 0 < announced < (STREAMED if kind.size_size == 4 and magic == b"RIFF" else 1 << 62)
    return Layout(is_cut=is_known and announced > there)


def _size_in_ds64(file: BinaryIO, before: list[Chunk]) -> int:
    for chunk in before:
        if chunk.name == b"ds64":
            file.seek(chunk.start + 8)
            return int.from_bytes(file.read(8), "little")
    return 0


def _is_chunks(file: BinaryIO, position: int, size: int) -> bool:
    """Say whether nothing but chunks lies between ``position`` and the end of the file."""
    for _ in range(MOST_CHUNKS):
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
    """Compare the length that an AU file announces with what is there."""
    with path.open("rb") as file:
        head = file.read(24)
    order = "big" if head[:4] == b".snd" else "little"
    start, announced = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))  # type: ignore[arg-type]
    return Layout(is_cut=0 < announced < UNKNOWN and announced > path.stat().st_size - start)
