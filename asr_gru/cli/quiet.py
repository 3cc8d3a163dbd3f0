"""Libraries that print."""

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
    """Keep what libraries in C print off standard error, unless ``--debug`` is given.

    PortAudio, ALSA and mpg123 write there themselves; what Python writes still gets there.
    """
    if context.find_root().params.get("debug"):
        yield
        return
    try:
        if sys.stderr.fileno() != 2:
            raise io.UnsupportedOperation
        ours = os.dup(2)
    except (AttributeError, OSError, ValueError):
        yield
        return
    before, nothing = sys.stderr, os.open(os.devnull, os.O_WRONLY)
    before.flush()
    os.dup2(nothing, 2)
    os.close(nothing)
    sys.stderr = open(ours, "w", encoding=before.encoding, errors="backslashreplace", buffering=1)  # noqa: PTH123, SIM115
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(ours, 2)
        sys.stderr.close()
        sys.stderr = before
