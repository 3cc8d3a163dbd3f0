"""What the command lines of recipes have in common: errors of one line, progress, numbers."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator
from typing import ParamSpec

from asr_gru.errors import ConfigError, Error, MissingExtraError

__all__ = ["log", "needed", "one_line_errors", "positive", "require", "whole_number"]

P = ParamSpec("P")
OURS = {"asr_gru", "benchmarks", "recipes", "studies"}
"""Packages that no extra installs."""


@contextlib.contextmanager
def needed(module: str, extra: str = "") -> Iterator[None]:
    """Import libraries that may be missing; without them a program ends with one line.

        with needed(__name__, "train"):
            import torch

    Args:
        module: ``__name__``; a module that is not the program raises instead.
        extra: the extra that installs the libraries; without it, they are installed by name.

    Raises:
        MissingExtraError: a library is not installed.
        ConfigError: the same, for a library that no extra installs.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        library = (missing.name or "").partition(".")[0]
        if library in OURS or not library:
            raise
        error = _missing(library, extra)
        if module != "__main__":
            raise error from None
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


def require(extra: str, *libraries: str) -> None:
    """Check that libraries that are imported later are installed, without importing them.

    Raises:
        MissingExtraError: one is not.
    """
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError(library, extra)


def _missing(library: str, extra: str) -> Error:
    if extra:
        return MissingExtraError(library, extra)
    return ConfigError(f"{library} is not installed; run: pip install {library}")


def one_line_errors(
    interrupted: str = "stopped",
) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Return a decorator of ``main``: errors are printed in one line and become exit statuses.

    Args:
        interrupted: what Ctrl-C prints.
    """

    def decorate(main: Callable[P, int]) -> Callable[P, int]:
        @functools.wraps(main)
        def decorated(*args: P.args, **kwargs: P.kwargs) -> int:
            try:
                return main(*args, **kwargs)
            except Error as error:
                print(f"error: {error}", file=sys.stderr)
                return error.exit_status
            except OSError as error:
                name = f"{error.filename}: " if error.filename else ""
                print(f"error: {name}{error.strerror or error}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print(interrupted, file=sys.stderr)
                return 130

        return decorated

    return decorate


def log(line: str) -> None:
    """Print a line of progress."""
    print(f"{dt.datetime.now():%H:%M:%S}  {line}", file=sys.stderr, flush=True)


def positive(text: str) -> float:
    """Parse a positive number of an option."""
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def whole_number(text: str) -> int:
    """Parse a whole number from 1 of an option."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)
