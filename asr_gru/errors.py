"""The exception hierarchy.

    Error                 base class
    ├── AudioError        a recording that cannot be read, or invalid samples
    ├── ModelError        a model directory that is missing, damaged or unsuitable
    ├── ConfigError       a configuration with an unknown key or an invalid value
    ├── DataError         a manifest, text or training set that cannot be used
    ├── DeviceError       a microphone that is missing or cannot be opened
    └── MissingExtraError an optional dependency that is not installed

Each message is a single line that names the problem and a remedy. The command line prints it and
exits with ``exit_status``: 1 if the input is at fault, 2 if the call is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from numbers import Integral, Real
from typing import TypeGuard

__all__ = [
    "AudioError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "Error",
    "MissingExtraError",
    "ModelError",
    "did_you_mean",
    "install_command",
    "is_integer",
    "is_real",
    "one_of",
]


class Error(Exception):
    """Base class of all errors of this package."""

    exit_status = 1


class AudioError(Error):
    """A recording cannot be read, or samples are invalid."""


class ModelError(Error):
    """A model directory is missing or damaged, or does not support what was requested."""


class ConfigError(Error):
    """A configuration has an unknown key or an invalid value."""

    exit_status = 2


class DataError(Error):
    """A manifest, text or training set cannot be used."""


class DeviceError(Error):
    """A microphone is missing or cannot be opened."""


class MissingExtraError(Error):
    """An optional dependency is not installed."""

    exit_status = 2

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed; {install_command(extra)}")
        self._arguments = library, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), self._arguments


def install_command(extra: str = "") -> str:
    """Return what to run for the libraries of the package or of an extra."""
    target = f"'.[{extra}]'" if extra else "."
    return f"run: pip install {target} in the folder of asr_gru's sources"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known name nearest to ``word``, or ``""``."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether a value is an integer; a ``bool`` is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number; a ``bool`` is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def one_of(names: Iterable[str]) -> str:
    """Return names as a list in prose: ``"a, b or c"``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
