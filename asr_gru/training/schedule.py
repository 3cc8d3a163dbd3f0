"""Training progress, by epochs or by wall-clock time."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from asr_gru.training.distributed import Processes

__all__ = ["Schedule"]


class Schedule:
    """Progress of a run, which the learning rate and loss weights follow.

    Args:
        epochs: epochs of the whole run.
        minutes: if given, what remains of the run is spread over what is left of this time when
            the first step begins, instead of over epochs; the time starts now.
        processes: all of them follow the clock of the main process.
        clock: returns seconds; replaced in tests.
    """

    def __init__(
        self,
        epochs: int,
        minutes: float | None,
        processes: Processes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._epochs, self._processes, self._clock = epochs, processes, clock
        self._resumed = 0.0
        self._deadline = None if minutes is None else clock() + 60.0 * minutes
        self._start: tuple[float, float] | None = None  # time and progress at the first step

    def resume(self, progress: float) -> None:
        """Go on from the progress of an interrupted run with ``minutes``; 0 goes by its epochs."""
        self._resumed = progress

    def progress(self, done: float) -> float:
        """Return the fraction of the run that is completed after ``done`` epochs, 0 to 1."""
        by_epochs = min(1.0, done / self._epochs)
        if self._deadline is None:
            return by_epochs
        now = self._clock()
        start, initial = self._start = self._start or (now, self._resumed or by_epochs)
        elapsed = 1.0 if now >= self._deadline else (now - start) / (self._deadline - start)
        shared = torch.tensor([elapsed if self._processes.is_main else 0.0], dtype=torch.float64)
        self._processes.all_reduce_(shared)
        return initial + (1.0 - initial) * float(shared)

    def includes(self, epoch: int) -> bool:
        """Whether ``epoch`` (from 0) starts within the run."""
        return self._deadline is not None or epoch < self._epochs
