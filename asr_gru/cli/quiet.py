"""Silencing C libraries that print to standard error."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

import click

__all__ = ["quiet_libraries"]


@contextlib.contextmanager
def quiet_libraries(context: click.Context) -> Iterator[None]:
    """Discard what C libraries write to standard error, unless ``--debug`` is given.

    PortAudio, ALSA and mpg123 write to it directly; output from Python is not affected.
    """
    if context.find_root().params.get("debug"):
        yield
        return
    try:
        if sys.stderr.fileno() != 2:
            raise io.UnsupportedOperation
        saved = os.dup(2)
    except (AttributeError, OSError, ValueError):
        yield
        return
    before, devnull = sys.stderr, os.open(os.devnull, os.O_WRONLY)
    before.flush()
    os.dup2(devnull, 2)
    os.close(devnull)
    sys.stderr = open(saved, "w", encoding=before.encoding, errors="backslashreplace", buffering=1)  # noqa: PTH123, SIM115
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        sys.stderr.close()
        sys.stderr = before
