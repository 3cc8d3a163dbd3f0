"""Word and character error rates, with alignments, confusions and confidence intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "Pair",
    "Score",
    "align",
    "bootstrap_interval",
    "bootstrap_rates",
    "character_errors",
    "confusions",
    "word_errors",
]

Ints = npt.NDArray[np.int64]
Pair = tuple[str | None, str | None]
"""Reference and hypothesis token; None stands for an insertion or a deletion."""


@dataclass(frozen=True, slots=True)
class Score:
    """Error counts against a reference of ``words`` words (or characters)."""

    words: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Error rate in percent of the reference length; may exceed 100."""
        return 100.0 * self.errors / self.words if self.words else 100.0 * bool(self.errors)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.words + other.words,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Pair]:
    """Align two sequences with minimum edit distance (Levenshtein 1966).

    Ties are resolved in favour of substitutions, then deletions, then insertions. Memory grows with
    the length of the hypothesis times the square root of that of the reference.
    """
    ids: dict[str, int] = {}
    expected = [ids.setdefault(token, len(ids)) for token in reference]
    found = np.array([ids.setdefault(token, len(ids)) for token in hypothesis], np.int64)
    # Of the costs, the first row of each block is kept; a block's others are computed again.
    size = math.isqrt(len(expected)) + 1
    starts = range(0, len(expected), size)
    row = np.arange(len(found) + 1)
    firsts = []
    for start in starts:
        firsts.append(row)
        row = _costs(row, expected[start : start + size], found)[-1].copy()
    pairs: list[Pair] = []
    left = len(hypothesis)
    for start, first in zip(reversed(starts), reversed(firsts), strict=True):
        costs = _costs(first, expected[start : start + size], found)
        left = _trace(costs, reference[start : start + size], hypothesis[:left], pairs)
    return [*((None, token) for token in hypothesis[:left]), *reversed(pairs)]


def _costs(first: Ints, expected: Sequence[int], found: Ints) -> Ints:
    """Return the rows of costs after ``first``, and itself, ``(expected + 1, found + 1)``."""
    columns = np.arange(len(found) + 1)
    costs = np.empty((len(expected) + 1, len(found) + 1), np.int64)
    costs[0] = first
    for row, token in enumerate(expected, 1):
        costs[row, 0] = costs[row - 1, 0] + 1
        costs[row, 1:] = np.minimum(costs[row - 1, 1:] + 1, costs[row - 1, :-1] + (found != token))
        costs[row] = np.minimum.accumulate(costs[row] - columns) + columns
    return costs


def _trace(
    costs: Ints, reference: Sequence[str], hypothesis: Sequence[str], pairs: list[Pair]
) -> int:
    """Add the pairs of a block of the reference, the last first; return the tokens left over."""
    i, j = len(reference), len(hypothesis)
    while i:
        cost = costs[i, j]
        if j and cost == costs[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((reference[i], hypothesis[j]))
        elif cost == costs[i - 1, j] + 1:
            i -= 1
            pairs.append((reference[i], None))
        else:
            j -= 1
            pairs.append((None, hypothesis[j]))
    return j


def _score(reference: Sequence[str], hypothesis: Sequence[str]) -> Score:
    pairs = align(reference, hypothesis)
    deletions = sum(hyp is None for _, hyp in pairs)
    insertions = sum(ref is None for ref, _ in pairs)
    differing = sum(ref != hyp for ref, hyp in pairs)
    return Score(len(reference), differing - deletions - insertions, deletions, insertions)


def word_errors(reference: str, hypothesis: str) -> Score:
    """Count word errors; words are separated by white space."""
    return _score(reference.split(), hypothesis.split())


def character_errors(reference: str, hypothesis: str) -> Score:
    """Count character errors, spaces included."""
    return _score(list(reference), list(hypothesis))


def confusions(pairs: Iterable[Sequence[Pair]]) -> Counter[Pair]:
    """Count pairs of reference and hypothesis tokens that differ."""
    return Counter(pair for aligned in pairs for pair in aligned if pair[0] != pair[1])


def bootstrap_rates(
    errors: npt.NDArray[np.float64], words: npt.NDArray[np.float64], *, draws: int, seed: int
) -> npt.NDArray[np.float64]:
    """Return the error rates in percent of utterances drawn with replacement, ``(draws,)``.

    Args:
        errors: errors of each utterance, or their differences, ``(n,)``.
        words: reference words of each utterance, ``(n,)``.
        draws: number of bootstrap samples.
        seed: seed of the random numbers.
    """
    random = np.random.default_rng(seed)
    rates = np.empty(draws)
    for draw in range(draws):
        drawn = random.integers(len(words), size=len(words))
        rates[draw] = 100.0 * errors[drawn].sum() / max(1.0, words[drawn].sum())
    return rates


def bootstrap_interval(
    scores: Sequence[Score], *, share: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the bootstrap confidence interval of the error rate (Bisani and Ney 2004).

    Utterances are resampled with replacement; ``share`` is the confidence level.
    """
    if not scores:
        return 0.0, 0.0
    errors = np.array([score.errors for score in scores], np.float64)
    words = np.array([score.words for score in scores], np.float64)
    rates = bootstrap_rates(errors, words, draws=draws, seed=seed)
    low, high = np.quantile(rates, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
