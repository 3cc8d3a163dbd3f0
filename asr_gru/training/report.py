"""What a run tells: lines for people, a JSON line a validation, TensorBoard curves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torch.utils.tensorboard import SummaryWriter

if TYPE_CHECKING:
    from asr_gru.training.audio_cache import Corpus
    from asr_gru.training.dataset import Examples
    from asr_gru.training.step import Losses
    from asr_gru.training.validate import Validation

__all__ = ["Report"]

SAY_EVERY_S = 20.0
MOST_NAMED = 20


class Report:
    """Says what happens; silent where ``folder`` and ``say`` are None (other processes)."""

    def __init__(self, folder: Path | None, say: Callable[[str], None] | None) -> None:
        self._folder = folder
        self._say = say or (lambda _line: None)
        self._board = SummaryWriter(str(folder)) if folder else None
        self._said_at = time.monotonic()
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._unmoved = 0

    def note(self, line: str) -> None:
        """Say one line."""
        self._say(line)

    def decoding(self, total: int) -> Callable[[int], None]:
        """Return a counter of decoded recordings that speaks now and then."""

        def progress(done: int) -> None:
            if self._due():
                self._say(f"decoding recordings: {done} of {total}")

        return progress

    def data(self, examples: Examples) -> None:
        """Say what is trained on, and what was left out and why."""
        hours = examples.durations_s.sum() / 3600
        self._say(f"training set: {len(examples.kept)} utterances, {hours:.2f} hours")
        if examples.phones is not None:
            self._say(f"phones: known for {examples.aligned} of them")
        self.unreadable(examples.corpus)
        for reason, count in examples.left_out.items():
            self._say(f"left out: {count} {reason} (such as {examples.named[reason]})")

    def unreadable(self, corpus: Corpus) -> None:
        """Name recordings that could not be read."""
        for reason in list(corpus.unreadable.values())[:MOST_NAMED]:
            self._say(f"left out: {reason}")
        if len(corpus.unreadable) > MOST_NAMED:
            self._say(f"left out: {len(corpus.unreadable) - MOST_NAMED} more that cannot be read")

    def step(self, number: int, position: int, steps: int, step: int, losses: Losses) -> None:
        """Record what one step came to."""
        curves = {"loss": losses.tokens, "learning rate": losses.rate}
        if losses.phones is not None:
            curves["phones"] = losses.phones
        for name, value in curves.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._draw(name, value, step)
        self._steps += 1
        self._unmoved += not losses.moved
        if self._due():
            means = {name: total / self._steps for name, total in self._sums.items()}
            self._sums, self._steps = {}, 0
            said = "  ".join(f"{name} {mean:.4g}" for name, mean in means.items())
            self._say(f"pass {number + 1}: {position}/{steps}  {said}")
            if self._unmoved:
                self._say(f"steps without a finite gradient, passed over: {self._unmoved}")
                self._unmoved = 0

    def examples(self, name: str, result: Validation) -> None:
        """Show what was said and what was heard."""
        for said, heard in result.examples:
            self._say(f"  {name} said:  {said}\n  {name} heard: {heard}")

    def validation(self, row: dict[str, float]) -> None:
        """Record the figures of one validation."""
        self._say("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        if self._folder:
            line = json.dumps({k: round(v, 4) for k, v in row.items()}) + "\n"
            try:
                with (self._folder / "log.jsonl").open("a", encoding="utf-8") as file:
                    file.write(line)
            except OSError as error:
                self._say(f"{self._folder / 'log.jsonl'}: {error.strerror}; this line is not in it")
        for name, value in row.items():
            self._draw(name, value, int(row["step"]))

    def close(self) -> None:
        """Finish the files."""
        if self._board:
            with suppress(OSError):
                self._board.close()

    def _draw(self, name: str, value: float, step: int) -> None:
        """Add a point to a curve; curves that cannot be written are given up, not the run."""
        if self._board is None:
            return
        try:
            self._board.add_scalar(name, value, step)
        except OSError as error:
            self._say(f"{self._folder}: {error.strerror or error}; no further TensorBoard curves")
            self._board = None

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._said_at < SAY_EVERY_S:
            return False
        self._said_at = now
        return True
