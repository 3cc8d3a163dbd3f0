"""Progress bars on standard error, if it is a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["DELAY_S", "count_progress", "is_drawn_on", "left_out", "start_bar"]

DELAY_S = 1.0
"""Seconds before a bar appears."""


def is_drawn_on(file: TextIO) -> bool:
    """Return whether a file is a terminal whose cursor can be moved."""
    return file.isatty() and os.environ.get("TERM") != "dumb"


def left_out(problem: str) -> None:
    """Report on standard error that a recording cannot be used and is left out."""
    sys.stderr.write(f"asr-gru: {problem}; left out\n")


@contextmanager
def count_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error, if it is a terminal.

    Yields:
        a callback that takes the number of items done, of ``total``.
    """
    started_s = time.monotonic()
    bar: Progress | None = None

    def update(done: int) -> None:
        nonlocal bar
        if bar is None and is_drawn_on(sys.stderr) and time.monotonic() - started_s >= DELAY_S:
            bar = start_bar(total)
        if bar is not None:
            details = f"{done}/{total}"
            bar.update(bar.task_ids[0], completed=done, details=details, name=label)

    try:
        yield update
    finally:
        if bar is not None:
            bar.stop()


def start_bar(total: float) -> Progress:
    """Start a bar with one task, whose fields are ``name`` and ``details``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    bar = Progress(
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[details]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    bar.add_task("", total=total, name="", details="")
    bar.start()
    return bar
