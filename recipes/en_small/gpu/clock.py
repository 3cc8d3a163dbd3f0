"""The deadline of a training run, which may be moved while it runs."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["Clock"]


class Clock:
    """Progress from the start of training to a deadline that may be moved.

    Args:
        file: its text, when there is one, is the deadline in seconds since 1970.
        deadline: the deadline otherwise.
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
            if self._file.exists():
                self._deadline = float(self._file.read_text())
        if now >= self._deadline:
            return 1.0
        return (now - self._began) / (self._deadline - self._began)
