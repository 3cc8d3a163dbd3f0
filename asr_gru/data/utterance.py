"""An utterance: a recording, or a segment of one, and its text."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from asr_gru.errors import DataError

__all__ = [
    "MAX_LISTED",
    "Utterance",
    "check_files",
    "listing",
    "recording_path",
    "seconds",
    "written_path",
]

MAX_LISTED = 5
"""Maximum number of names in an error message; the others are counted."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One entry of a manifest.

    Attributes:
        path: the recording.
        text: transcript in spoken form.
        duration_s: duration in seconds, or 0 if the manifest does not give it.
        speaker: speaker id, or "".
        source: corpus that the recording is from, or "".
        written: transcript in written form, or "".
        start_s: start of a segment of ``duration_s`` in the recording; None for all of it.
    """

    path: Path
    text: str
    duration_s: float = 0.0
    speaker: str = ""
    source: str = ""
    written: str = ""
    start_s: float | None = None

    @property
    def key(self) -> Path:
        """The path, with the times of a segment as in a media fragment: ``talk.flac#t=1.5,4.2``."""
        if self.start_s is None:
            return self.path
        times = f"#t={self.start_s:.3f},{self.start_s + self.duration_s:.3f}"
        return self.path.with_name(self.path.name + times)

    @property
    def absolute_key(self) -> Path:
        """The key with an absolute path, by which alignments name recordings."""
        return self.key.absolute()


def recording_path(name: str, base: Path, where: str, *, absolute: bool = True) -> Path:
    """Return the path of a recording from its name in a manifest.

    Args:
        name: the name as written.
        base: folder to which relative names are relative; they may not leave it.
        where: the manifest and line, for messages.
        absolute: whether the format allows absolute paths; they are used as they are.

    Raises:
        DataError: the name is empty, a URL, outside ``base``, or absolute but may not be.
    """
    if not name or "\0" in name:
        raise DataError(f"{where}: no path of a recording")
    if "://" in name:
        raise DataError(f"{where}: {name[:80]!r} is a URL; download the recording")
    path = Path(name)
    if path.is_absolute():
        if absolute:
            return path
        raise DataError(f"{where}: {name[:80]!r} is an absolute path; name a file of the folder")
    if Path(os.path.normpath(name)).parts[:1] == (os.pardir,):
        remedy = "write an absolute path" if absolute else "name a file of the folder"
        raise DataError(f"{where}: {name[:80]!r} is outside {base}; {remedy}")
    return base / path


def written_path(path: Path, folder: Path) -> str:
    """Return the name of a recording for a manifest in ``folder``, which is absolute.

    It is relative to the folder if the recording is in it, and absolute otherwise, also for a path
    such as ``folder/../a.wav``, because ``recording_path`` refuses names that leave the folder.
    """
    recording = path.absolute()
    if recording.is_relative_to(folder):
        inside = recording.relative_to(folder)
        if os.pardir not in inside.parts:
            return inside.as_posix()
    return recording.as_posix()


def seconds(value: float | str | None, name: str, where: str) -> float:
    """Parse a time in a manifest, in seconds; None and "" are 0.

    Raises:
        DataError: not a number, negative or infinite.
    """
    try:
        number = float(value or 0.0)
    except ValueError:
        number = math.nan
    if not 0.0 <= number < math.inf:
        raise DataError(f"{where}: {name} is {value!r}; write seconds, such as 3.5")
    return number


def listing(names: Iterable[object]) -> str:
    """Return the first names, and the number of others: ``a, b and 3 more``."""
    listed = [str(name) for name in names]
    more = len(listed) - MAX_LISTED
    shown = ", ".join(listed[:MAX_LISTED])
    return f"{shown} and {more} more" if more > 0 else shown


def check_files(utterances: Iterable[Utterance]) -> None:
    """Check that all recordings exist.

    Raises:
        DataError: recordings are missing; the message names the first ``MAX_LISTED``.
    """
    paths = dict.fromkeys(utterance.path for utterance in utterances)
    missing = [path for path in paths if not _is_file(path)]
    if missing:
        raise DataError(f"{listing(missing)}: named in the manifest, but not there")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False
