"""The deadline of a training run, which may be moved while it runs."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

__all__ = ["Clock"]


class Clock:
    """Progress from the start of training to a deadline that may be moved.

    Args:
        file: its text, when it is a number, is the deadline in seconds since 1970. While the file
            is being written it may be empty; then the deadline that was known is kept.
        deadline: the deadline until then.
    """

    def __init__(self, file: Path, deadline: float) -> None:
        self._file, self._deadline = file, deadline
        self._read = 0.0
        self._began = time.time()

    def start(self) -> None:
        """Begin to count now."""
        self._began = time.time()

    def progress(self) -> float:
        """Return the fraction of the time that has passed, at most 1."""
        now = time.time()
        if now - self._read > 1.0:
            self._read = now
            with contextlib.suppress(OSError, ValueError):
                moved = float(self._file.read_text(encoding="utf-8"))
                self._deadline = moved if math.isfinite(moved) else self._deadline
        if now >= self._deadline:
            return 1.0
        return (now - self._began) / (self._deadline - self._began)
