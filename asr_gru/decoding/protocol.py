"""What a decoder is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Beam", "Decoder", "Hypothesis", "LogProbs"]

LogProbs = npt.NDArray[np.float32]
Beam = Any
"""A decoder's state between two calls: a plain value that is never altered in place."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One reading of what was heard so far.

    Attributes:
        tokens: ids without blanks and repeats.
        frames: the frame in which each token began, from the decoder's start; strictly rising.
        log_prob: of the whole reading, in nats; with a language model, its score.
        token_log_probs: of each token, in nats, in the surest of the frames that carry it.
    """

    tokens: tuple[int, ...]
    frames: tuple[int, ...]
    log_prob: float
    token_log_probs: tuple[float, ...]

    def after(self, count: int) -> Hypothesis:
        """Return all but the first ``count`` tokens, with the score of the whole."""
        return Hypothesis(
            self.tokens[count:], self.frames[count:], self.log_prob, self.token_log_probs[count:]
        )

    def first(self, count: int) -> Hypothesis:
        """Return the first ``count`` tokens, with the score of the whole."""
        return Hypothesis(
            self.tokens[:count], self.frames[:count], self.log_prob, self.token_log_probs[:count]
        )


class Decoder(Protocol):
    """Frames of log-probabilities in, readings out; cuts between calls do not matter."""

    def start(self) -> Beam:
        """Return the state before the first frame."""
        ...

    def advance(self, beam: Beam, log_probs: LogProbs) -> Beam:
        """Take ``log_probs (frames, tokens)`` and return the state after them."""
        ...

    def best(self, beam: Beam, n: int = 1) -> list[Hypothesis]:
        """Return up to ``n`` readings, the likeliest first."""
        ...

    def settled(self, beam: Beam) -> int:
        """Return how many tokens of the best reading no later frame can alter."""
        ...
