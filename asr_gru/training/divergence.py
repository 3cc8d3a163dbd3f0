"""Skipped steps: reports non-finite values, and ends a run that does not recover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from asr_gru.errors import ConfigError
from asr_gru.training.dataset import Batch, TrainingSet
from asr_gru.training.diagnosis import find_anomaly
from asr_gru.training.step import TrainStep

__all__ = ["Attempt", "DivergedError", "DivergenceGuard", "all_finite"]

MAX_NONFINITE_STEPS = 100
"""A run ends after this many consecutive steps whose gradient was not finite."""
MAX_DIAGNOSES = 10
"""Diagnoses in a run; each costs as much as a step."""
MAX_LISTED = 5
"""Recordings named in a message; the others are counted."""


class DivergedError(ConfigError):
    """No gradient was finite for ``MAX_NONFINITE_STEPS`` steps, or weights are not finite."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is needed to repeat a step.

    Attributes:
        batch: the batch of this process.
        indices: its utterances, as positions in ``TrainingSet.kept``.
        global_step: steps taken before.
        progress: fraction of training completed, 0 to 1.
        seed: seed of masks and dropout.
    """

    batch: Batch
    indices: Sequence[int]
    global_step: int
    progress: float
    seed: tuple[int, ...]


class DivergenceGuard:
    """Watches whether the gradients of a run are finite.

    The first step of each series without a finite gradient is diagnosed: a line names the layer
    and the recordings.
    """

    def __init__(
        self, train_step: TrainStep, training_set: TrainingSet, log: Callable[[str], None]
    ) -> None:
        self._train_step = train_step
        self._training_set = training_set
        self._log = log
        self._in_a_row = 0
        self._diagnoses = 0
        self._first = ""

    def check(self, *attempts: Attempt, finite: bool) -> None:
        """Record a step; with several processes, all of them have to call this.

        Args:
            attempts: the step, once for each of its batches.
            finite: whether its gradient was finite.

        Raises:
            DivergedError: this was the last of ``MAX_NONFINITE_STEPS`` steps without a finite
                gradient.
        """
        if finite:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row == 1:
            self._first = ""
            if self._diagnoses < MAX_DIAGNOSES:
                self._diagnoses += 1
                self._first = f"step {attempts[0].global_step + 1}: {self._diagnose(attempts)}"
                self._log(f"skipped {self._first}")
        if self._in_a_row == MAX_NONFINITE_STEPS:
            first = f" ({self._first})" if self._first else ""
            raise DivergedError(
                f"no finite gradient in {self._in_a_row} steps{first}; resume from the last "
                "checkpoint with a lower learning rate"
            )

    def _diagnose(self, attempts: Sequence[Attempt]) -> str:
        texts = [text for attempt in attempts for text in self._repeat(attempt)]
        nothing = "the gradient was not finite, but is when the step is repeated"
        return next((one for one in texts if one), nothing)

    def _repeat(self, attempt: Attempt) -> list[str]:
        """Return what each process finds in a batch; empty texts for nothing."""
        try:
            found = find_anomaly(self._train_step, attempt.batch, attempt.progress, attempt.seed)
        except RuntimeError as error:  # a network of one's own may not bear hooks
            text = f"the gradient is not finite ({type(error).__name__} in the diagnosis)"
        else:
            text = ""
            if found is not None:
                text = f"{found.kind} in {found.place}"
                if found.rows:
                    text += f", of {self._recordings(attempt.indices, found.rows)}"
        return self._train_step.processes.gather_texts(text)

    def _recordings(self, indices: Sequence[int], rows: Sequence[int]) -> str:
        names = [self._training_set.name(indices[row]) for row in rows[:MAX_LISTED]]
        more = f" and {len(rows) - MAX_LISTED} more" if len(rows) > MAX_LISTED else ""
        whole = f"all {len(rows)} utterances, " if 1 < len(rows) == len(indices) else ""
        return whole + ", ".join(names) + more


def all_finite(net: nn.Module) -> bool:
    """Return whether all weights are finite."""
    return all(bool(torch.isfinite(weight).all()) for weight in net.parameters())
