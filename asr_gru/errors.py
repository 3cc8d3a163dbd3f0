"""The errors of the package, one family.

    Error                 catch this one to catch them all
    ├── AudioError        a recording that cannot be read, samples that are not sound
    ├── ModelError        a model directory that is missing, cut, foreign or used wrongly
    ├── ConfigError       a configuration with an unknown key or an impossible value
    ├── DataError         a manifest, text or training set that cannot be used
    ├── DeviceError       a microphone that is not there or will not open
    └── MissingExtraError a library that an optional part needs and that is not installed

Each message is one line that names the thing and the remedy. The command line prints that line
and exits with ``exit_status``: 1 when the input is at fault, 2 when the call is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AudioError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "Error",
    "MissingExtraError",
    "ModelError",
    "did_you_mean",
]


class Error(Exception):
    """Anything that this package refuses, in one line that names the thing and the remedy."""

    exit_status = 1


class AudioError(Error):
    """A recording that cannot be read, or samples that are not sound."""


class ModelError(Error):
    """A model directory that is missing, cut, foreign, or asked for what it cannot do."""


class ConfigError(Error):
    """A configuration with an unknown key or an impossible value."""

    exit_status = 2


class DataError(Error):
    """A manifest, a text or a training set that cannot be used."""


class DeviceError(Error):
    """A microphone that is not there or will not open."""


class MissingExtraError(Error):
    """A library that an optional part needs and that is not installed."""

    exit_status = 2

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed; run: pip install 'asr-gru[{extra}]'")
        self._arguments = library, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), self._arguments


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known name nearest to ``word``, or ``""``."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""
