"""Training log: lines for the terminal, JSON lines in the run's folder, and TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torch.utils.tensorboard import SummaryWriter

from asr_gru.training.hypotheses import Hypothesis, write_hypotheses
from asr_gru.training.metrics import METRICS_FILE, MetricsWriter, StepMetrics

if TYPE_CHECKING:
    from asr_gru.training.dataset import TrainingSet
    from asr_gru.training.step import StepResult

__all__ = ["Report"]

LOG_FILE = "log.jsonl"
LOG_INTERVAL_S = 20.0
MAX_LISTED = 20


class Report:
    """Logs a run; silent where ``folder`` and ``log`` are None (all processes but the main one)."""

    def __init__(self, folder: Path | None, log: Callable[[str], None] | None) -> None:
        self._folder = folder
        self._log = log or (lambda _line: None)
        self._writer = SummaryWriter(str(folder)) if folder else None
        self._metrics = MetricsWriter(folder / METRICS_FILE, self._log) if folder else None
        self._logged_at = time.monotonic()
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._nonfinite = 0

    def note(self, line: str) -> None:
        """Log one line."""
        self._log(line)

    def decoding(self, total: int | None) -> Callable[[int], None]:
        """Return a callback that logs how many recordings are decoded, at intervals.

        Args:
            total: recordings to decode, or None while shards are indexed.
        """

        def progress(done: int) -> None:
            if self._due():
                of_total = f"decoding recordings: {done} of {total}"
                self._log(f"recordings in shards: {done}" if total is None else of_total)

        return progress

    def training_set(self, training_set: TrainingSet) -> None:
        """Log the size of the training set, and what was left out and why."""
        hours = training_set.durations_s.sum() / 3600
        self._log(f"training set: {len(training_set.kept)} utterances, {hours:.2f} hours")
        if training_set.phones is not None:
            self._log(f"frame-wise phones: {training_set.with_phones} utterances")
        for source in training_set.unknown_sources:
            self._log(f"data.weights: no recording has the source {source}")
        self.unreadable(training_set.corpus.unreadable)
        for reason, count in training_set.left_out.items():
            example = training_set.left_out_example[reason]
            self._log(f"left out: {count} {reason} (such as {example})")

    def unreadable(self, recordings: Mapping[Path, str]) -> None:
        """Log the recordings that could not be read, with the reason for each."""
        for reason in list(recordings.values())[:MAX_LISTED]:
            self._log(f"left out: {reason}")
        if len(recordings) > MAX_LISTED:
            self._log(f"left out: {len(recordings) - MAX_LISTED} more that cannot be read")

    def step(
        self,
        epoch: int,
        step_in_epoch: int,
        steps: int,
        global_step: int,
        result: StepResult,
        *,
        audio_s: float = 0.0,
        seconds: float = 0.0,
    ) -> None:
        """Record one step; means are logged and written at intervals.

        Args:
            epoch: current epoch, from 0.
            step_in_epoch: steps taken in it.
            steps: steps of the epoch.
            global_step: steps taken since the start of the run.
            result: result of the step.
            audio_s: seconds of recordings in the batches of all processes.
            seconds: time that the step took.
        """
        metrics = {"loss": result.ctc_loss, "learning rate": result.learning_rate}
        if result.phone_loss is not None:
            metrics["phone loss"] = result.phone_loss
        if result.distillation_loss is not None:
            metrics["distillation loss"] = result.distillation_loss
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._add_scalar(name, value, global_step)
        self._add_scalar("gradient norm", result.gradient_norm, global_step)
        if self._metrics is not None:
            self._metrics.add(
                StepMetrics(
                    step=global_step,
                    steps=1,
                    epoch=epoch + step_in_epoch / steps,
                    loss=result.ctc_loss,
                    phone_loss=result.phone_loss,
                    distillation_loss=result.distillation_loss,
                    learning_rate=result.learning_rate,
                    gradient_norm=result.gradient_norm,
                    skipped=int(not result.finite),
                    audio_s=audio_s,
                    seconds=seconds,
                )
            )
        self._steps += 1
        self._nonfinite += not result.finite
        if self._due():
            means = {name: total / self._steps for name, total in self._sums.items()}
            self._sums, self._steps = {}, 0
            line = "  ".join(f"{name} {mean:.4g}" for name, mean in means.items())
            self._log(f"epoch {epoch + 1}: step {step_in_epoch}/{steps}  {line}")
            if self._nonfinite:
                self._log(f"steps skipped because a gradient was not finite: {self._nonfinite}")
                self._nonfinite = 0

    def flush(self) -> None:
        """Write the means of the steps since the last line, as before a checkpoint."""
        if self._metrics is not None:
            self._metrics.flush()

    def hypotheses(self, hypotheses: Iterable[Hypothesis]) -> None:
        """Write what was recognised in validation; log three utterances of each set."""
        sets: dict[str, list[Hypothesis]] = {}
        for one in hypotheses:
            sets.setdefault(one.list_name, []).append(one)
        for name, found in sets.items():
            for one in found[:: max(1, len(found) // 3)][:3]:
                self._log(f"  {name} ref: {one.reference}\n  {name} hyp: {one.hypothesis}")
        if self._folder and sets:
            try:
                write_hypotheses(self._folder, (one for found in sets.values() for one in found))
            except OSError as error:
                self._log(f"{error.filename}: {error.strerror}; hypotheses are not written")

    def validation(self, row: dict[str, float]) -> None:
        """Record the metrics of one validation."""
        self._log("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        if self._folder:
            path = self._folder / LOG_FILE
            line = json.dumps({k: round(v, 4) for k, v in row.items()}) + "\n"
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write(line)
            except OSError as error:
                self._log(f"{path}: {error.strerror}; this line is missing from it")
        for name, value in row.items():
            self._add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write what is left, and close the TensorBoard file."""
        self.flush()
        if self._writer:
            with suppress(OSError):
                self._writer.close()

    def _add_scalar(self, name: str, value: float, global_step: int) -> None:
        """Write a TensorBoard scalar; if that fails, training continues without TensorBoard."""
        if self._writer is None:
            return
        try:
            self._writer.add_scalar(name, value, global_step)
        except OSError as error:
            self._log(f"{self._folder}: {error.strerror or error}; no further TensorBoard curves")
            self._writer = None

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._logged_at < LOG_INTERVAL_S:
            return False
        self._logged_at = now
        return True
