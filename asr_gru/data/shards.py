"""Recordings and texts in tar files, in the layout of webdataset, for random access.

The members of a sample follow each other and differ in their extension: ``0001.flac`` and
``0001.json`` (an object with ``text`` and optionally ``source``) or ``0001.txt``.
"""

from __future__ import annotations

import json
import math
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from asr_gru.audio import open_recording
from asr_gru.audio.discovery import SUFFIXES
from asr_gru.errors import AudioError, DataError, MissingExtraError

__all__ = ["ShardSample", "expand_shards", "is_shard", "read_member", "read_shard", "shard_version"]

RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
MAX_SHARDS = 100_000
MAX_TEXT_BYTES = 1 << 20
MAX_AUDIO_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class ShardSample:
    """A sample of a shard.

    Attributes:
        name: name of the recording in the shard.
        offset: first byte of the recording in the shard.
        size: bytes of the recording.
        text: transcript.
        source: corpus that the recording is from, or "".
        duration_s: its duration in seconds; 0 if it cannot be read.
        error: why it cannot be read, or "".
    """

    name: str
    offset: int
    size: int
    text: str
    source: str
    duration_s: float
    error: str = ""


def is_shard(name: str) -> bool:
    """Return whether the name of a manifest stands for shards."""
    return name.endswith(".tar")


def expand_shards(names: Sequence[str]) -> list[str]:
    """Replace each range of numbers: ``train-{000..099}.tar`` stands for a hundred shards.

    Raises:
        DataError: a range runs backwards, or there are more than ``MAX_SHARDS``.
    """
    ranges = [[int(last) - int(first) + 1 for first, last in RANGE.findall(n)] for n in names]
    if sum(math.prod(max(1, count) for count in counts) for counts in ranges) > MAX_SHARDS:
        raise DataError(f"more than {MAX_SHARDS} shards; make them larger")
    done: list[str] = []
    for name in names:
        match = RANGE.search(name)
        if match is None:
            done.append(name)
            continue
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise DataError(f"{name}: no range of shards; write such as train-{{000..099}}.tar")
        width = len(match[1])
        done += expand_shards(
            [
                f"{name[: match.start()]}{number:0{width}d}{name[match.end() :]}"
                for number in range(first, last + 1)
            ]
        )
    return done


def _remote(name: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ModuleNotFoundError:
        raise MissingExtraError("fsspec", "train") from None
    files, path = fsspec.core.url_to_fs(name)
    return files, path


def shard_version(name: str) -> list[object]:
    """Return what changes when the shard changes.

    Raises:
        DataError: it is not there.
    """
    try:
        if "://" in name:
            files, path = _remote(name)
            return [name, files.ukey(path)]
        status = Path(name).stat()
    except (OSError, ValueError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{name}: {reason}; check data.train") from None
    return [str(Path(name).resolve()), status.st_size, status.st_mtime_ns]


def read_member(name: str, offset: int, size: int) -> bytes:
    """Return bytes of a shard, with a single request of a remote one.

    Raises:
        OSError: they cannot be read.
    """
    if "://" in name:
        files, path = _remote(name)
        return bytes(files.cat_file(path, start=offset, end=offset + size))
    with Path(name).open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _open(name: str) -> IO[bytes]:
    if "://" in name:
        files, path = _remote(name)
        opened: IO[bytes] = files.open(path, "rb")
        return opened
    return Path(name).open("rb")


def read_shard(name: str) -> Iterator[ShardSample]:
    """Read a shard from its beginning to its end and yield its samples.

    Raises:
        DataError: it is no uncompressed tar file, is cut short, or a sample has no text.
    """
    try:
        with _open(name) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            key = ""
            parts: dict[str, tuple[str, int, bytes]] = {}
            for member in tar:
                if not member.isreg() or member.issparse():
                    continue
                stem, _, suffix = PurePosixPath(member.name).name.partition(".")
                if not stem:  # hidden, such as ._0001.flac, which tar on macOS adds
                    continue
                member_key = str(PurePosixPath(member.name).with_name(stem))
                if member_key != key and parts:
                    yield from _sample(name, key, parts)
                    parts = {}
                key = member_key
                suffix = f".{suffix.lower()}"
                is_audio = f".{suffix.rpartition('.')[2]}" in SUFFIXES
                if is_audio or suffix in (".txt", ".json"):
                    limit = MAX_AUDIO_BYTES if is_audio else MAX_TEXT_BYTES
                    if member.size > limit:
                        raise DataError(f"{name}: {member.name} has more than {limit} bytes")
                    data = tar.extractfile(member)
                    assert data is not None
                    kind = "audio" if is_audio else suffix
                    parts[kind] = (member.name, member.offset_data, data.read())
            if parts:
                yield from _sample(name, key, parts)
    except tarfile.TarError as error:
        raise DataError(f"{name}: {error}; shards are uncompressed, whole tar files") from None
    except OSError as error:
        raise DataError(f"{name}: {error.strerror or error}; check data.train") from None


def _sample(
    shard: str, key: str, parts: dict[str, tuple[str, int, bytes]]
) -> Iterator[ShardSample]:
    if "audio" not in parts:
        return
    member, offset, data = parts["audio"]
    text, source = _text(f"{shard}: {key}", parts)
    try:
        with open_recording(data) as recording:
            duration_s = recording.duration_s
            if duration_s is None:
                duration_s = sum(map(len, recording.blocks(10.0))) / recording.sample_rate
    except AudioError as error:
        reason = str(error).replace("the recording", f"{shard}/{member}", 1)
        yield ShardSample(member, offset, len(data), text, source, 0.0, reason)
    else:
        yield ShardSample(member, offset, len(data), text, source, duration_s)


def _text(where: str, parts: dict[str, tuple[str, int, bytes]]) -> tuple[str, str]:
    try:
        if ".json" in parts:
            row = json.loads(parts[".json"][2])
            text, source = row["text"], row.get("source", "")
            if not isinstance(text, str) or not isinstance(source, str):
                raise TypeError
            (text + source).encode()  # an escape may stand for half a character
            return text, source
        return parts[".txt"][2].decode("utf-8").strip(), ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(
            f"{where}: no text; give it a .txt in UTF-8, or a .json with the key text"
        ) from None
