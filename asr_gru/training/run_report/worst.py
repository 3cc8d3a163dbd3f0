"""The utterances of validation sets that were recognised worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_gru.scoring import Pair, Score, align, word_errors
from asr_gru.training.hypotheses import Hypothesis

__all__ = ["ListResult", "Recognised", "list_results"]


@dataclass(frozen=True, slots=True)
class Recognised:
    """An utterance with its errors.

    Attributes:
        utterance: reference and hypothesis.
        score: errors over words, or phones.
    """

    utterance: Hypothesis
    score: Score

    def pairs(self) -> list[Pair]:
        """Return the alignment of reference and hypothesis."""
        return align(self.utterance.reference.split(), self.utterance.hypothesis.split())


@dataclass(frozen=True, slots=True)
class ListResult:
    """What became of a validation set.

    Attributes:
        name: its name.
        total: errors of all utterances together.
        utterances: number of utterances.
        right: number of those without errors.
        worst: the worst of those with errors, first.
    """

    name: str
    total: Score
    utterances: int
    right: int
    worst: tuple[Recognised, ...]


def list_results(hypotheses: Sequence[Hypothesis], most: int) -> list[ListResult]:
    """Score the utterances of each set; keep the ``most`` with the highest error rates.

    Of equal rates, the one with more errors comes first.
    """
    lists: dict[str, list[Recognised]] = {}
    for one in hypotheses:
        scored = Recognised(one, word_errors(one.reference, one.hypothesis))
        lists.setdefault(one.list_name, []).append(scored)
    results = []
    for name, found in lists.items():
        wrong = [one for one in found if one.score.errors]
        wrong.sort(key=lambda one: (one.score.rate, one.score.errors), reverse=True)
        total = sum((one.score for one in found), Score())
        right = len(found) - len(wrong)
        results.append(ListResult(name, total, len(found), right, tuple(wrong[:most])))
    return results
