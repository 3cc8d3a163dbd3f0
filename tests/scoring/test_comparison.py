"""Paired comparison of two systems."""

from __future__ import annotations

import numpy as np
import pytest

from asr_gru.scoring import Score, bootstrap_interval, compare


def scores(errors: np.ndarray) -> list[Score]:
    return [Score(words=10, substitutions=int(count)) for count in errors]


def test_a_small_but_consistent_improvement_is_significant():
    """Unpaired intervals overlap, because some utterances are hard for both."""
    hard = np.random.default_rng(1).integers(2, 10, 300)
    better = hard - (np.arange(300) % 3 == 0)
    result = compare(scores(hard), scores(better))
    assert result.difference == pytest.approx(-10 / 3)
    assert result.significant
    assert result.interval[0] < result.difference < result.interval[1] < 0
    assert result.improvement_prob == 1.0
    assert bootstrap_interval(scores(better))[1] > bootstrap_interval(scores(hard))[0]


def test_a_worse_second_system_has_a_positive_difference():
    errors = np.random.default_rng(2).integers(0, 8, 200)
    result = compare(scores(errors), scores(errors + 1))
    assert result.difference == pytest.approx(10)
    assert result.significant
    assert result.improvement_prob == 0.0


def test_random_differences_are_rarely_significant():
    """Of 100 pairs of equally good systems, about five differ at a level of 95 %."""
    random = np.random.default_rng(3)
    found = 0
    for _ in range(100):
        first, second = random.binomial(10, 0.3, (2, 60))
        found += compare(scores(first), scores(second), draws=400).significant
    assert 1 <= found <= 12


def test_equal_systems_do_not_differ():
    errors = scores(np.arange(9))
    result = compare(errors, errors)
    assert (result.difference, result.interval, result.improvement_prob) == (0.0, (0.0, 0.0), 0.0)
    assert not result.significant


@pytest.mark.parametrize("second", [[], [Score(9)], [Score(10), Score(10)]])
def test_comparisons_of_different_utterances_are_refused(second: list[Score]):
    with pytest.raises(ValueError, match="same utterances"):
        compare([Score(10)], second)
