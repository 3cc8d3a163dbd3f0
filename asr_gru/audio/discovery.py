"""Finding recordings in folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from asr_gru.audio.opening import STDIN
from asr_gru.errors import AudioError

__all__ = ["SUFFIXES", "find_recordings"]

SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".w64", ".rf64", ".aiff", ".aif", ".aifc", ".au", ".caf", ".flac"),
        *(".mp3", ".ogg", ".oga", ".opus", ".aac", ".m4a", ".mp4", ".mov", ".webm", ".mkv"),
        *(".wma", ".amr", ".3gp"),
    }
)


def find_recordings(paths: Iterable[str | Path]) -> list[Path]:
    """Return ``paths`` with each folder replaced by the recordings in it, recursively.

    Symbolic links are followed, but each folder is searched only once. Hidden files and folders
    are skipped.

    Raises:
        AudioError: a path does not exist, or a folder contains no recordings or cannot be read.
    """
    found: list[Path] = []
    for name in paths:
        if not str(name):
            raise AudioError("an empty name; name a recording or a folder of them")
        path = Path(name)
        try:
            found += [path] if path == STDIN else _expand(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            at = getattr(error, "filename", None) or path
            raise AudioError(f"{at}: {reason}; name a recording or a folder of them") from None
    return found


def _expand(path: Path) -> list[Path]:
    if not stat.S_ISDIR(path.stat().st_mode):
        return [path]
    recordings = sorted(_recordings_in(path))
    if not recordings:
        raise AudioError(f"{path}: no recordings in this folder; name another one")
    return recordings


def _recordings_in(folder: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()

    def refuse(error: OSError) -> None:
        raise error

    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        status = Path(root).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = Path(root, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield path
