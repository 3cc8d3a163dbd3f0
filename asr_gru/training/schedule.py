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
        minutes: if given, the rest of the run is spread over this much time instead, from the
            first step on.
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
        self._minutes = minutes
        self._began: float | None = None
        self._before = 0.0

    def progress(self, done: float) -> float:
        """Return the share of the run that is done after ``done`` epochs, 0 to 1."""
        by_epochs = min(1.0, done / self._epochs)
        if self._minutes is None:
            return by_epochs
        if self._began is None:
            self._began, self._before = self._clock(), by_epochs
        elapsed = (self._clock() - self._began) / (60.0 * self._minutes)
        shared = torch.tensor([elapsed if self._processes.first else 0.0], dtype=torch.float64)
        self._processes.sum_(shared)
        return self._before + (1.0 - self._before) * min(1.0, float(shared))

    def includes(self, epoch: int) -> bool:
        """Return whether the epoch, from 0, begins within the run."""
        return self._minutes is not None or epoch < self._epochs
