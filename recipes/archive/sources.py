"""The recordings of an archive: a folder, a bucket, a list of names, or a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from asr_gru.audio import find_recordings
from asr_gru.audio.discovery import SUFFIXES
from asr_gru.data.manifest import read_manifest
from asr_gru.errors import DataError
from asr_gru.files import read_text

__all__ = ["ArchiveRecording", "is_url", "list_recordings", "reason_of"]


@dataclass(frozen=True, slots=True)
class ArchiveRecording:
    """A recording, or a segment of one.

    Attributes:
        path: path or URL.
        start_s: start of a segment in the recording, in seconds; None for all of it.
        duration_s: length of the segment in seconds; 0 for all of the recording.
    """

    path: str
    start_s: float | None = None
    duration_s: float = 0.0

    @property
    def key(self) -> tuple[str, float | None]:
        """What tells it from the other recordings of the archive."""
        return self.path, self.start_s

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes; ``ArchiveRecording(**...)`` is their inverse."""
        return asdict(self)


def is_url(name: str) -> bool:
    """Return whether ``name`` is the URL of a file system that fsspec knows, such as s3://."""
    return "://" in name


def reason_of(error: Exception) -> str:
    """Return the message of an error in one line, or its name if it has none.

    File systems of fsspec raise whatever the libraries below them do: errors of botocore about
    credentials, for example, are plain exceptions.
    """
    return " ".join(str(error).split())[:300] or type(error).__name__


def list_recordings(source: str) -> list[ArchiveRecording]:
    """List the recordings of an archive, each once, in the order of their names.

    Args:
        source: a folder, the URL of a folder or bucket, a list of paths and URLs (``.txt``, one
            per line; relative paths are relative to its folder), or a manifest.

    Raises:
        AudioError, DataError: not such a source, one without recordings, or a manifest with two
            segments that begin together but end apart.
    """
    path = Path(source)
    if is_url(source):
        found = [ArchiveRecording(url) for url in _in_bucket(source)]
    elif path.is_dir():
        found = [ArchiveRecording(str(one.absolute())) for one in find_recordings([path])]
    elif path.suffix == ".txt":
        found = [ArchiveRecording(name) for name in _in_list(path)]
    else:
        found = [
            ArchiveRecording(str(one.path.absolute()), one.start_s, one.duration_s)
            if one.start_s is not None
            else ArchiveRecording(str(one.path.absolute()))
            for one in read_manifest(path)
        ]
    if not found:
        raise DataError(f"{source}: names no recording; give a folder, bucket, list or manifest")
    once: dict[tuple[str, float | None], ArchiveRecording] = {}
    for recording in found:
        if once.setdefault(recording.key, recording) != recording:
            where = f"{recording.path} begin at {recording.start_s} s"
            raise DataError(f"{source}: two segments of {where}; keep one")
    return sorted(once.values(), key=lambda one: (one.path, one.start_s or 0.0))


def _in_bucket(url: str) -> Iterator[str]:
    try:
        files, folder = fsspec.core.url_to_fs(url)
        names = files.find(folder)
    except Exception as error:  # noqa: BLE001 - see reason_of
        raise DataError(f"{url}: {reason_of(error)}") from None
    for name in names:
        inside = PurePosixPath(name.removeprefix(folder) or PurePosixPath(name).name)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        if not is_hidden and inside.suffix.lower() in SUFFIXES:
            yield files.unstrip_protocol(name)


def _in_list(path: Path) -> Iterator[str]:
    for line in read_text(path, "give a list of recordings, one per line").split("\n"):
        name = line.strip()
        if name:
            yield name if is_url(name) else str((path.parent / name).absolute())
