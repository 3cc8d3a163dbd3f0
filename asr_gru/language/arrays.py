"""The binary file format of language models and lexicons: named arrays, memory-mapped.

Layout, little-endian: 8 bytes of magic, the kind in 8 ASCII bytes, a version and the length of
the header as uint32, the header as JSON, then the arrays, each at a multiple of 64 bytes.
Loading parses the header and copies nothing. The format contains no code, and every size is
checked against the file before an array is created.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from asr_gru.errors import ModelError
from asr_gru.files import write_bytes

__all__ = ["Array", "pack_arrays", "read_arrays", "write_arrays"]

Array = npt.NDArray[Any]

MAGIC = b"asr-gru\x00"
PREFIX = struct.Struct("<8s8sII")
VERSION = 1
ALIGNMENT = 64
MAX_HEADER_BYTES = 1 << 20
DTYPES = {"u1": 1, "u2": 2, "u4": 4, "i4": 4, "i8": 8, "f4": 4}


class _Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    dtype: str
    length: int
    offset: int


class _Header(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    meta: dict[str, Any]
    arrays: list[_Entry]


def write_arrays(
    path: Path, kind: str, meta: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """Write named one-dimensional arrays to a file, atomically.

    Args:
        path: path of the file.
        kind: kind of the file, up to 8 ASCII letters; ``read_arrays`` checks it.
        meta: small JSON values.
        arrays: arrays of dtype uint8, uint16, uint32, int32, int64 or float32.
    """
    write_bytes(path, pack_arrays(kind, meta, arrays))


def pack_arrays(kind: str, meta: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """Return the contents of the file that ``write_arrays`` writes."""
    entries, offset = [], 0
    for name, array in arrays.items():
        code = array.dtype.newbyteorder("<").str[1:]
        if code not in DTYPES or array.ndim != 1:
            raise TypeError(f"array {name}: {array.dtype}, {array.ndim} dimensions")
        entries.append(_Entry(name, code, len(array), offset))
        offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    header = msgspec.json.encode(_Header(dict(meta), entries))
    # Spaces after the JSON put the first array at a multiple of the alignment.
    header += b" " * (-(PREFIX.size + len(header)) % ALIGNMENT)
    if len(header) > MAX_HEADER_BYTES:
        raise ValueError("the header is too large")
    parts = [PREFIX.pack(MAGIC, kind.encode().ljust(8, b"\0"), VERSION, len(header)), header]
    for array in arrays.values():
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        parts.append(data + b"\0" * (-len(data) % ALIGNMENT))
    return b"".join(parts)


def read_arrays(source: Path | bytes, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Memory-map a file of ``write_arrays``, or read its contents; the arrays are read-only.

    Raises:
        ModelError: the file cannot be read, is truncated or damaged, or has another kind or
            version.
    """
    name = "packed data" if isinstance(source, bytes) else str(source)
    data: Array
    if isinstance(source, bytes):
        data = np.frombuffer(source, np.uint8)
    else:
        try:
            size = source.stat().st_size
            data = (
                np.memmap(source, np.uint8, "r").view(np.ndarray) if size else np.zeros(0, np.uint8)
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ModelError(f"{name}: {reason}; give a file that asr-gru wrote") from None
    if len(data) < PREFIX.size:
        raise ModelError(f"{name}: truncated or empty; write it again")
    magic, found, version, length = PREFIX.unpack(data[: PREFIX.size].tobytes())
    if magic != MAGIC:
        raise ModelError(f"{name}: not a binary file of asr-gru; write it again")
    if found != kind.encode().ljust(8, b"\0"):
        shown = found.rstrip(b"\0").decode("ascii", "replace")
        raise ModelError(f"{name}: contains {shown!r}, not {kind!r}; give another file")
    if version != VERSION:
        raise ModelError(
            f"{name}: version {version}; this asr-gru reads version {VERSION}: update it, "
            "or write the file again"
        )
    start = PREFIX.size + length
    if length > MAX_HEADER_BYTES or start > len(data):
        raise ModelError(f"{name}: truncated or damaged header; write it again")
    try:
        header = msgspec.json.decode(data[PREFIX.size : start].tobytes(), type=_Header)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raise ModelError(f"{name}: damaged header; write it again") from None
    arrays = {entry.name: _array(name, data[start:], entry) for entry in header.arrays}
    ends = [entry.offset + entry.length * DTYPES[entry.dtype] for entry in header.arrays]
    if len(data) - start != math.ceil(max(ends, default=0) / ALIGNMENT) * ALIGNMENT:
        raise ModelError(f"{name}: its size does not match its header; write it again")
    return header.meta, arrays


def _array(name: str, data: Array, entry: _Entry) -> Array:
    size = DTYPES.get(entry.dtype, 0) * entry.length
    fits = 0 <= entry.offset <= entry.offset + size <= len(data)
    if entry.dtype not in DTYPES or entry.length < 0 or entry.offset % ALIGNMENT or not fits:
        raise ModelError(f"{name}: array {entry.name!r} is truncated; write the file again")
    return data[entry.offset : entry.offset + size].view(f"<{entry.dtype}")
