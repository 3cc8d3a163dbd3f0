"""The curves of a run: means over a few training steps, as JSON lines in the run's folder."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from asr_gru.training.json_lines import read_json_lines

__all__ = ["METRICS_FILE", "MetricsWriter", "StepMetrics", "read_metrics"]

METRICS_FILE = "metrics.jsonl"
STEPS_PER_LINE = 10


class StepMetrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Means over consecutive steps, up to and including ``step``.

    Means are over the steps whose value is finite, and None if there is no such step.

    Attributes:
        step: steps taken since the start of the run.
        steps: number of steps in the mean.
        epoch: epochs completed, with the fraction of the current one.
        loss: CTC loss in nats per token, the terms of CR-CTC and CTC-CRF included.
        phone_loss: nats per frame, or None without a phone head.
        distillation_loss: nats per token, or None without a teacher.
        learning_rate: learning rate.
        gradient_norm: norm of the gradient, before it is clipped.
        max_gradient_norm: largest of these norms.
        skipped: number of steps whose gradient was not finite.
        audio_s: seconds of recordings in the batches of all processes, before augmentation.
        seconds: time that the steps took, loading of batches included.
    """

    step: int
    steps: int
    epoch: float
    loss: float | None = None
    phone_loss: float | None = None
    distillation_loss: float | None = None
    learning_rate: float = 0.0
    gradient_norm: float | None = None
    max_gradient_norm: float | None = None
    skipped: int = 0
    audio_s: float = 0.0
    seconds: float = 0.0


class MetricsWriter:
    """Appends a line for every ten steps.

    Args:
        path: the file; lines of an earlier part of the run are kept.
        log: receives a line if the file cannot be written, once.
    """

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._path = path
        self._log = log
        self._rows: list[StepMetrics] = []
        self._failed = False
        self._began = False

    def add(self, step: StepMetrics) -> None:
        """Record a single step."""
        self._rows.append(step)
        if step.step % STEPS_PER_LINE == 0:
            self.flush()

    def flush(self) -> None:
        """Write the steps that no line has yet."""
        if not self._rows:
            return
        line = msgspec.json.encode(_mean(self._rows)) + b"\n"
        self._rows = []
        try:
            with self._path.open("ab+") as file:
                if not self._began and file.tell():  # a killed run may have left half a line
                    file.seek(-1, 2)
                    line = line if file.read(1) == b"\n" else b"\n" + line
                file.write(line)
            self._began = True
        except OSError as error:
            if not self._failed:
                self._log(f"{self._path}: {error.strerror}; lines are missing from it")
            self._failed = True


def _mean(rows: list[StepMetrics]) -> StepMetrics:
    last = rows[-1]
    norms = _finite([row.gradient_norm for row in rows])
    return StepMetrics(
        step=last.step,
        steps=len(rows),
        epoch=round(last.epoch, 4),
        loss=_rounded(_finite([row.loss for row in rows])),
        phone_loss=_rounded(_finite([row.phone_loss for row in rows])),
        distillation_loss=_rounded(_finite([row.distillation_loss for row in rows])),
        learning_rate=float(f"{last.learning_rate:.4g}"),
        gradient_norm=_rounded(norms),
        max_gradient_norm=_rounded(norms[-1:] and [max(norms)]),
        skipped=sum(row.skipped for row in rows),
        audio_s=round(sum(row.audio_s for row in rows), 2),
        seconds=round(sum(row.seconds for row in rows), 3),
    )


def _finite(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _rounded(values: list[float]) -> float | None:
    return float(f"{np.mean(values):.5g}") if values else None


def read_metrics(path: Path) -> list[StepMetrics]:
    """Read the lines of a run, each step once.

    A run that was killed resumes from its last checkpoint and takes some steps again: lines of the
    later attempt replace those of the earlier one. Damaged lines are left out.

    Raises:
        OSError: the file exists and cannot be read.
    """
    rows: list[StepMetrics] = []
    for row in read_json_lines(path, StepMetrics):
        while rows and rows[-1].step > row.step - row.steps:
            rows.pop()
        rows.append(row)
    return rows
