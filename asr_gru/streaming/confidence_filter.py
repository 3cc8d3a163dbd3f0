"""Omits or marks words below a minimum confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_gru.errors import ConfigError
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
        if not 0.0 <= self.probability <= 1.0:
            raise ConfigError(
                f"a minimum confidence of {self.probability}; give a number between 0 and 1"
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

    The confidence of a word can change until the word after it is settled. A word becomes stable
    only then, and what was decided about it holds for the rest of its segment, so text that is
    stable never changes. Segments without a word left are dropped and not counted.

    Args:
        minimum: the minimum confidence.
    """

    def __init__(self, minimum: MinimumConfidence) -> None:
        self.minimum = minimum
        self._passed: tuple[bool, ...] = ()
        self._shown = ("", "")
        self._id = 0

    def partial(self, spoken: OpenSegment) -> OpenSegment | None:
        """Return the filtered open segment, or None if it has not changed.

        Nothing is shown before a word is certain to stay, so every segment shown has a final.
        """
        decided = max(len(self._passed), _count(spoken.words, spoken.stable) - 1)
        passed = self._passes(spoken.words)
        self._passed = passed[:decided]
        stable = self._applied(spoken.words[:decided], self._passed)
        if not stable:
            return None
        words = self._applied(spoken.words, passed)
        shown = (_text(words), _text(stable))
        if shown == self._shown:
            return None
        self._shown = shown
        return OpenSegment(self._id, *shown, words)

    def final(self, segment: Segment) -> Segment | None:
        """Return the filtered segment, or None if no word is left."""
        words = self._applied(segment.words, self._passes(segment.words))
        self._passed, self._shown = (), ("", "")
        if not words:
            return None
        self._id += 1
        left = Segment.from_words(self._id - 1, words, segment.match)
        return replace(left, alternatives=segment.alternatives)

    def copy(self) -> ConfidenceFilter:
        """Return an independent filter in the same state."""
        twin = object.__new__(ConfidenceFilter)
        vars(twin).update(vars(self))
        return twin

    def _passes(self, words: Sequence[Word]) -> tuple[bool, ...]:
        undecided = words[len(self._passed) :]
        least = self.minimum.probability
        return self._passed + tuple([word.confidence >= least for word in undecided])

    def _applied(self, words: Sequence[Word], passed: Sequence[bool]) -> tuple[Word, ...]:
        pairs = zip(words, passed, strict=False)
        if self.minimum.mark:
            return tuple([word if good else replace(word, uncertain=True) for word, good in pairs])
        return tuple([word for word, good in pairs if good])


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.marked for word in words)


def _count(words: Sequence[Word], stable: str) -> int:
    """Return how many words the stable text has."""
    length = -1
    for number, word in enumerate(words):
        length += 1 + len(word.text)
        if length > len(stable):
            return number
    return len(words)
