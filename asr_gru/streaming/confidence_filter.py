"""Omits or marks words below a minimum confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_gru.errors import ConfigError, is_real
from asr_gru.results import Segment, Word
from asr_gru.streaming.partials import OpenSegment

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ConfidenceFilter", "MinimumConfidence"]


@dataclass(frozen=True, slots=True)
class MinimumConfidence:
    """A minimum confidence of words.

    Attributes:
        probability: between 0 and 1; words below are uncertain.
        mark: whether uncertain words are kept and marked, rather than left out.
    """

    probability: float
    mark: bool = False

    def __post_init__(self) -> None:
        if not (is_real(self.probability) and 0.0 <= self.probability <= 1.0):
            raise ConfigError(
                f"a minimum confidence of {str(self.probability)[:40]}; give a number between 0 "
                "and 1"
            )

    @classmethod
    def parse(cls, probability: float | None, *, mark: bool = False) -> MinimumConfidence | None:
        """Create it from the arguments of a call; None keeps all words.

        Raises:
            ConfigError: ``mark`` without a probability.
        """
        if probability is None and mark:
            raise ConfigError("mark_uncertain needs a minimum confidence; give one, such as 0.5")
        return None if probability is None else cls(probability, mark)


class ConfidenceFilter:
    """Applies a minimum confidence to the segments of one stream.

    The confidence of a word can change until the next word is settled. Only then does the word
    become stable, and the decision about it is kept until the segment ends, so stable text never
    changes. Segments without remaining words are dropped and get no number.

    Args:
        minimum: the minimum confidence.
    """

    def __init__(self, minimum: MinimumConfidence) -> None:
        self.minimum = minimum
        self._accepted: tuple[bool, ...] = ()
        self._shown = ("", "")
        self._id = 0

    def partial(self, segment: OpenSegment) -> OpenSegment | None:
        """Return the filtered open segment, or None if it has not changed.

        Returns None before the first word is stable, so that every segment shown gets a final.
        """
        decided = max(len(self._accepted), _count(segment.words, segment.stable) - 1)
        accepted = self._accept(segment.words)
        self._accepted = accepted[:decided]
        stable = self._apply(segment.words[:decided], self._accepted)
        if not stable:
            return None
        words = self._apply(segment.words, accepted)
        shown = (_text(words), _text(stable))
        if shown == self._shown:
            return None
        self._shown = shown
        return OpenSegment(self._id, *shown, words)

    def final(self, segment: Segment) -> Segment | None:
        """Return the filtered segment, or None if no word remains."""
        words = self._apply(segment.words, self._accept(segment.words))
        self._accepted, self._shown = (), ("", "")
        if not words:
            return None
        self._id += 1
        filtered = Segment.from_words(self._id - 1, words, segment.match)
        return replace(filtered, alternatives=segment.alternatives)

    def copy(self) -> ConfidenceFilter:
        """Return an independent filter in the same state."""
        copied = object.__new__(ConfidenceFilter)
        vars(copied).update(vars(self))
        return copied

    def _accept(self, words: Sequence[Word]) -> tuple[bool, ...]:
        undecided = words[len(self._accepted) :]
        minimum = self.minimum.probability
        return self._accepted + tuple([word.confidence >= minimum for word in undecided])

    def _apply(self, words: Sequence[Word], accepted: Sequence[bool]) -> tuple[Word, ...]:
        pairs = zip(words, accepted, strict=False)
        if self.minimum.mark:
            return tuple([word if keep else replace(word, uncertain=True) for word, keep in pairs])
        return tuple([word for word, keep in pairs if keep])


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.marked for word in words)


def _count(words: Sequence[Word], stable: str) -> int:
    """Return the number of words of the stable text."""
    length = -1
    for index, word in enumerate(words):
        length += 1 + len(word.text)
        if length > len(stable):
            return index
    return len(words)
