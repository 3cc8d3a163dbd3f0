"""The decoder protocol, and hypotheses."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from asr_gru.results import Match

__all__ = ["AnyDecoder", "Decoder", "Hypothesis", "LogProbs", "PartialHypothesis", "WordScore"]

LogProbs = npt.NDArray[np.float32]
S = TypeVar("S")


class WordScore(NamedTuple):
    """A word of a hypothesis, with acoustic and language model scores.

    Attributes:
        text: the word.
        start: position of its first token in the hypothesis.
        stop: position past its last token.
        acoustic: log-probability of its frames, up to the next word's first, in nats.
        language: unweighted log-probability of the word given its history, and of its
            pronunciation if the lexicon has probabilities, in nats.
        posterior: logarithm of its share of the probability of all hypotheses in the frame that
            completed it; minus infinity if none did, 0 from searches that do not compute it.
    """

    text: str
    start: int
    stop: int
    acoustic: float
    language: float
    posterior: float = 0.0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A hypothesis for the frames so far.

    Attributes:
        tokens: ids without blanks and repeats.
        frames: first frame of each token, from the decoder's start; strictly ascending.
        log_prob: score of the hypothesis in nats: its log-probability, plus language model scores.
        token_log_probs: highest log-probability of each token in its frames, in nats.
        ends: the frame after the last of each token; empty if each lasts a single frame.
        words: the words, from a word search; None if the tokens spell the words. Tokens after the
            last word belong to an incomplete word.
        match: the phrase or parse, from a search of a closed vocabulary.
    """

    tokens: tuple[int, ...]
    frames: tuple[int, ...]
    log_prob: float
    token_log_probs: tuple[float, ...]
    ends: tuple[int, ...] = ()
    words: tuple[WordScore, ...] | None = None
    match: Match | None = None

    def first(self, count: int) -> Hypothesis:
        """Return the first ``count`` tokens and their complete words, with the same score."""
        return replace(
            self,
            tokens=self.tokens[:count],
            frames=self.frames[:count],
            token_log_probs=self.token_log_probs[:count],
            ends=self.ends[:count],
            words=self.words and tuple(word for word in self.words if word.stop <= count),
        )


def checksum(words: Sequence[str], *arrays: npt.NDArray[Any]) -> int:
    """Return a checksum of words and arrays, for ``Decoder.signature``."""
    found = zlib.crc32("\n".join(words).encode())
    for array in arrays:
        found = zlib.crc32(array.tobytes(), found)
    return found


class PartialHypothesis(NamedTuple):
    """What partials show of an unfinished sentence.

    Attributes:
        hypothesis: the most probable hypothesis.
        shown: number of its tokens that are probable enough to be shown.
    """

    hypothesis: Hypothesis
    shown: int


class Decoder(Protocol[S]):
    """Decodes the log-probabilities of many streams at a time.

    ``S`` is the state of one stream, an immutable value, so it can be stored, copied and continued
    any number of times. Hypotheses do not depend on how frames are divided into calls, nor on the
    streams that share a call.

    Attributes:
        whole_utterances: whether an utterance is accepted or rejected as a whole, at its end; such
            a decoder is restarted at every endpoint, and its utterances are never split.
    """

    whole_utterances: ClassVar[bool] = False

    @abstractmethod
    def start(self) -> S:
        """Return the state before the first frame."""
        ...

    @abstractmethod
    def advance(self, states: Sequence[S], log_probs: Sequence[LogProbs]) -> list[S]:
        """Advance each stream by its ``(frames, tokens)`` rows, if any; return the new states."""
        ...

    @abstractmethod
    def best(self, state: S, n: int = 1) -> list[Hypothesis]:
        """Return up to ``n`` hypotheses, best first; at least one."""
        ...

    @abstractmethod
    def settled(self, state: S) -> int:
        """Return the number of tokens that all hypotheses share and that cannot change any more."""
        ...

    def partials(self, states: Sequence[S]) -> list[PartialHypothesis]:
        """Return what partials show of each stream; by default its whole best hypothesis."""
        best = [self.best(state)[0] for state in states]
        return [PartialHypothesis(one, len(one.tokens)) for one in best]

    def reads_alike(self, before: S, after: S) -> bool:
        """Return whether two states of a stream are known to differ in scores only.

        ``settled`` and the tokens, words and times of ``best`` and ``partials`` are then unchanged.
        """
        return before is after

    def words_key(self, state: S) -> object | None:  # noqa: ARG002
        """Return a value that changes with the words of the hypothesis of ``partials``.

        States of one stream with equal keys have the same words, of which the same number is
        settled. None, the default, gives no information.
        """
        return None

    def end_probability(self, state: S) -> float | None:  # noqa: ARG002
        """Return the probability of a sentence end; None if the decoder has none."""
        return None

    @property
    def signature(self) -> object:
        """What states refer to: equal, in any process, for decoders that can continue them.

        None, the default, if the type of the states says enough.
        """
        return None

    def adopt(self, state: S, other: Self) -> S:  # noqa: ARG002
        """Return a state of this decoder that continues a state of ``other``.

        The decoders differ in hot words only. By default, the state is returned unchanged.
        """
        return state

    @abstractmethod
    def finish(self, state: S) -> S:
        """Return the state after the sentence end, whose score is added to all hypotheses.

        No frames can follow. Idempotent.
        """
        ...


AnyDecoder: TypeAlias = Decoder[Any]
"""A decoder with any type of state."""
