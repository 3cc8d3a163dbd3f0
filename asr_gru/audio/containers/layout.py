"""Where the audio lies in a file, and a file object that splices it together."""

from __future__ import annotations

import bisect
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Extent", "Layout", "Part", "SplicedFile", "append_extent"]


@dataclass(frozen=True, slots=True)
class Extent:
    """Byte range of a file, ``stop`` excluded."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


Part = bytes | Extent


def append_extent(extents: list[Extent], extent: Extent) -> None:
    """Append an extent, or extend the last one if they are adjacent."""
    if extents and extents[-1].stop == extent.start:
        extents[-1] = Extent(extents[-1].start, extent.stop)
    else:
        extents.append(extent)


@dataclass(frozen=True, slots=True)
class Layout:
    """How to decode a file.

    Attributes:
        links: streams to decode in turn, each as parts that form a complete file when
            concatenated; empty when the file can be decoded as it is.
        is_truncated: whether the file ends before its declared length.
    """

    links: tuple[tuple[Part, ...], ...] = ()
    is_truncated: bool = False


class SplicedFile(io.RawIOBase):
    """Read-only file object over ranges of another file and bytes in memory.

    Args:
        path: the underlying file.
        parts: concatenated in order.
    """

    def __init__(self, path: Path, parts: tuple[Part, ...]) -> None:
        self._file: BinaryIO = path.open("rb")
        self._parts = parts
        self._ends: list[int] = []
        for part in parts:
            self._ends.append((self._ends[-1] if self._ends else 0) + len(part))
        self._position = 0

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, which may lie past the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self)}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, fewer only at the end; all of them if negative."""
        wanted = len(self) - self._position if size < 0 else size
        pieces = []
        while wanted > 0:
            index = bisect.bisect_right(self._ends, self._position)
            if index == len(self._parts):
                break
            part, end = self._parts[index], self._ends[index]
            offset = self._position - (end - len(part))
            if isinstance(part, bytes):
                piece = part[offset : offset + wanted]
            else:
                self._file.seek(part.start + offset)
                piece = self._file.read(min(wanted, len(part) - offset))
                if not piece:  # the file has shrunk
                    break
            pieces.append(piece)
            self._position += len(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def readinto(self, buffer: object) -> int:
        """Fill ``buffer``; return how many bytes were read."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the underlying file too."""
        self._file.close()
        super().close()
