"""Recordings in folders."""

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
    """Return the files of ``paths``, with every folder replaced by the recordings under it.

    Links are followed; a folder that is reached twice is searched once. Hidden files and folders
    are left out.

    Raises:
        AudioError: a path that is not there, or a folder without a recording.
    """
    found: list[Path] = []
    for name in paths:
        if not str(name):
            raise AudioError("an empty name; name a recording or a folder of them")
        path = Path(name)
        try:
            found += [path] if path == STDIN else _under(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AudioError(f"{path}: {reason}; name a recording or a folder of them") from None
    return found


def _under(path: Path) -> list[Path]:
    if not stat.S_ISDIR(path.stat().st_mode):
        return [path]
    inside = sorted(_inside(path))
    if not inside:
        raise AudioError(f"{path}: no recordings in this folder; name one that has some")
    return inside


def _inside(folder: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        about = Path(root).stat()
        if (about.st_dev, about.st_ino) in seen:
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = Path(root, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield path
