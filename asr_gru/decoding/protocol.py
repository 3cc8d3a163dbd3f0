"""What a decoder is, and what it finds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from asr_gru.results import Match

__all__ = ["AnyDecoder", "Decoder", "Hypothesis", "LogProbs", "WordScore"]

LogProbs = npt.NDArray[np.float32]
S = TypeVar("S")


class WordScore(NamedTuple):
    """A word that a decoder found, with its two scores apart.

    Attributes:
        text: the word.
        start: position of its first token in the hypothesis.
        stop: position past its last token.
        acoustic: log-probability of its frames, up to the next word's first, in nats.
        language: log-probability of the word after those before it, and of its pronunciation where
            the lexicon has probabilities, in nats, without any weight.
    """

    text: str
    start: int
    stop: int
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
            the tokens themselves spell the words. Tokens behind the last are of a word that is
            not complete.
        match: which phrase the words are, from a search of closed phrases or a grammar.
    """

    tokens: tuple[int, ...]
    frames: tuple[int, ...]
    log_prob: float
    token_log_probs: tuple[float, ...]
    ends: tuple[int, ...] = ()
    words: tuple[WordScore, ...] | None = None
    match: Match | None = None

    def first(self, count: int) -> Hypothesis:
        """Return the first ``count`` tokens and the words within, with the score of the whole."""
        return replace(
            self,
            tokens=self.tokens[:count],
            frames=self.frames[:count],
            token_log_probs=self.token_log_probs[:count],
            ends=self.ends[:count],
            words=self.words and tuple(word for word in self.words if word.stop <= count),
        )


class Decoder(Protocol[S]):
    """Frames of log-probabilities in, readings out, for many streams at a time.

    ``S`` is the state of one stream: a plain value that is never altered in place, so it can be
    kept, copied and gone on from twice. A stream's readings depend neither on the cuts between
    calls nor on the streams that share them.

    Attributes:
        whole_utterances: whether an utterance is one sentence or nothing, known at its end alone;
            such a decoder starts again at every endpoint, and its utterances are not cut.
    """

    whole_utterances: ClassVar[bool] = False

    @abstractmethod
    def start(self) -> S:
        """Return the state before the first frame."""
        ...

    @abstractmethod
    def advance(self, states: Sequence[S], log_probs: Sequence[LogProbs]) -> list[S]:
        """Take ``(frames, tokens)`` of each stream, also none, and return the states after."""
        ...

    @abstractmethod
    def best(self, state: S, n: int = 1) -> list[Hypothesis]:
        """Return up to ``n`` readings, the likeliest first; at least one."""
        ...

    @abstractmethod
    def settled(self, state: S) -> int:
        """Return how many tokens of all readings are the same and cannot be altered any more."""
        ...

    def shown(self, states: Sequence[S]) -> list[int]:
        """Return how many tokens of each best reading are likely enough to be shown: here all."""
        return [len(self.best(state)[0].tokens) for state in states]

    def reads_alike(self, before: S, after: S) -> bool:
        """Return whether it is plain that two states of a stream differ in scores at most.

        Then ``settled``, ``shown`` and the tokens, words and times of ``best`` need not be asked
        for again.
        """
        return before is after

    def end_probability(self, state: S) -> float | None:  # noqa: ARG002
        """Return the probability that the sentence ends here; None if the decoder cannot tell."""
        return None

    def adopt(self, state: S, other: Self) -> S:  # noqa: ARG002
        """Return the state with which to go on where ``other`` was, which differs in hot words.

        Here there are none, so the state stays as it is.
        """
        return state

    @abstractmethod
    def finish(self, state: S) -> S:
        """Return the state after the end of the sentence, which adds its score to all readings.

        It is there to be read; no frames can follow. Finishing twice changes nothing.
        """
        ...


AnyDecoder: TypeAlias = Decoder[Any]
"""A decoder, whatever its state."""
