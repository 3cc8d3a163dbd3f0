"""Whether one system makes fewer errors than another, or was only lucky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr_gru.scoring.rates import Score, bootstrap_rates

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Error rates of two systems on the same utterances.

    Attributes:
        difference: error rate of the second less that of the first, in percentage points.
        interval: its bootstrap confidence interval.
        improvement_prob: share of the bootstrap samples in which the second has fewer errors.
        level: confidence level of ``interval``.
    """

    difference: float
    interval: tuple[float, float]
    improvement_prob: float
    level: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes a difference of zero."""
        low, high = self.interval
        return low > 0.0 or high < 0.0


def compare(
    first: Sequence[Score],
    second: Sequence[Score],
    *,
    share: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare two systems by a paired bootstrap (Bisani and Ney 2004).

    Utterances are resampled with replacement, the same ones for both systems, so that what makes
    an utterance hard for both does not blur the difference.

    Args:
        first: scores of the first system, one for each utterance.
        second: scores of the second system, for the same utterances in the same order.
        share: confidence level of the interval.
        draws: number of bootstrap samples.
        seed: seed of the random numbers.

    Raises:
        ValueError: no utterances, or not the same ones.
    """
    words = np.array([score.words for score in first], np.float64)
    if not len(words) or [score.words for score in second] != [score.words for score in first]:
        raise ValueError("compare needs the scores of two systems on the same utterances")
    extra = np.array([b.errors - a.errors for a, b in zip(first, second, strict=True)], np.float64)
    differences = bootstrap_rates(extra, words, draws=draws, seed=seed)
    low, high = np.quantile(differences, [(1 - share) / 2, (1 + share) / 2])
    return Comparison(
        float(100.0 * extra.sum() / max(1.0, words.sum())),
        (float(low), float(high)),
        float((differences < 0).mean()),
        share,
    )
