import tracemalloc
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.scoring import (
    Score,
    align,
    bootstrap_interval,
    character_errors,
    confusions,
    word_errors,
)

WORDS = st.lists(st.sampled_from("abc"), max_size=6)


@given(WORDS, WORDS)
def test_errors_are_the_edit_distance(reference, hypothesis):
    @cache
    def distance(i, j):
        if not i or not j:
            return i + j
        same = reference[i - 1] == hypothesis[j - 1]
        return min(
            distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (not same)
        )

    pairs = align(reference, hypothesis)
    assert sum(said != heard for said, heard in pairs) == distance(len(reference), len(hypothesis))
    assert [said for said, _ in pairs if said is not None] == reference
    assert [heard for _, heard in pairs if heard is not None] == hypothesis


def test_long_texts_are_aligned_in_little_memory():
    random = np.random.default_rng(0)
    reference = "".join(random.choice([*"abc "], 3000))
    hypothesis = reference[:1000] + "xyz" + reference[1100:]
    tracemalloc.start()
    score = character_errors(reference, hypothesis)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12e6
    assert score == Score(3000, 3, 97, 0)


def test_substitutions_deletions_and_insertions_are_counted():
    assert word_errors("the cat sat", "the bat sat down") == Score(3, 1, 0, 1)
    assert word_errors("the cat sat", "the sat") == Score(3, 0, 1, 0)
    assert character_errors("ab", "b").rate == 50.0
    assert word_errors("", "a").rate == 100.0
    assert word_errors("", "").rate == 0.0


def test_confusions_are_counted():
    counted = confusions([align(["a", "b"], ["a", "c"]), align(["b"], ["c"])])
    assert counted.most_common(1) == [(("b", "c"), 2)]


def test_the_interval_contains_the_rate_and_narrows_with_more_data():
    random = np.random.default_rng(0)
    scores = [Score(10, int(random.binomial(10, 0.3))) for _ in range(400)]
    rate = sum(scores, Score()).rate
    low, high = bootstrap_interval(scores)
    few_low, few_high = bootstrap_interval(scores[:20])
    assert low < rate < high
    assert high - low < few_high - few_low


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=12),
    st.lists(st.sampled_from("abcd"), max_size=12),
)
def test_error_counts_agree_with_jiwer(reference, hypothesis):
    """Equally short alignments may differ in the kinds of errors, but not in their number."""
    jiwer = pytest.importorskip("jiwer")
    score = word_errors(" ".join(reference), " ".join(hypothesis))
    expected = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    assert score.errors == expected.substitutions + expected.deletions + expected.insertions
    assert score.rate == pytest.approx(100 * expected.wer)
    assert score.words == len(reference)
