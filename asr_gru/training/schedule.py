"""How much of a run is done: by its epochs, or by the clock where minutes were given."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from asr_gru.training.distributed import Processes

__all__ = ["Schedule"]


class Schedule:
    """Progress of a run, which learning rate and loss weights follow.

    Args:
        epochs: of the whole run.
        minutes: if given, the rest of the run is spread over what is left of this much time,
            counted from now, when its first step begins.
        processes: all of them go by the clock of the first.
        clock: seconds; replaced in tests.
    """

    def __init__(
        self,
        epochs: int,
        minutes: float | None,
        processes: Processes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._epochs, self._processes, self._clock = epochs, processes, clock
        self._ends = None if minutes is None else clock() + 60.0 * minutes
        self._first: tuple[float, float] | None = None  # when the first step began, at what share

    def progress(self, done: float) -> float:
        """Return the share of the run that is done after ``done`` epochs, 0 to 1."""
        by_epochs = min(1.0, done / self._epochs)
        if self._ends is None:
            return by_epochs
        now = self._clock()
        began, before = self._first = self._first or (now, by_epochs)
        elapsed = 1.0 if now >= self._ends else (now - began) / (self._ends - began)
        shared = torch.tensor([elapsed if self._processes.first else 0.0], dtype=torch.float64)
        self._processes.sum_(shared)
        return before + (1.0 - before) * float(shared)

    def includes(self, epoch: int) -> bool:
        """Return whether the epoch, from 0, begins within the run."""
        return self._ends is not None or epoch < self._epochs
