"""What the command lines of recipes have in common: errors of one line, progress, numbers."""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

from asr_gru.errors import Error

__all__ = ["count", "log", "one_line_errors", "positive"]

P = ParamSpec("P")


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
                print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
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


def count(text: str) -> int:
    """Parse a whole number from 1 of an option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
