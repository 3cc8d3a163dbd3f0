"""What a decoder is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Beam", "Decoder", "Hypothesis", "LogProbs", "WordScore"]

LogProbs = npt.NDArray[np.float32]
Beam = Any
"""A decoder's state between two calls: a plain value that is never altered in place."""


@dataclass(frozen=True, slots=True)
class WordScore:
    """A word that a decoder found, with its two scores apart.

    Attributes:
        text: the word.
        first: position of its first token in the hypothesis.
        behind: position past its last token.
        acoustic: log-probability of its frames, up to the next word's first, in nats.
        language: log-probability of the word after those before it, in nats, without any weight.
    """

    text: str
    first: int
    behind: int
    acoustic: float
    language: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One reading of what was heard so far.

    Attributes:
        tokens: ids without blanks and repeats.
        frames: the frame in which each token began, from the decoder's start; strictly rising.
        log_prob: of the whole reading, in nats; with a language model, its score.
        token_log_probs: of each token, in nats, in the surest of the frames that carry it.
        ends: the frame past each token's last; empty where each lasts a single frame.
        words: the words that the tokens stand for, from a decoder that knows words; None where
            the tokens themselves spell the words.
    """

    tokens: tuple[int, ...]
    frames: tuple[int, ...]
    log_prob: float
    token_log_probs: tuple[float, ...]
    ends: tuple[int, ...] = ()
    words: tuple[WordScore, ...] | None = None

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
