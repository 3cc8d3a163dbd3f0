"""The likeliest pronunciations are those of an exhaustive search over all of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.decoding.alignment import collapse, force_align
from asr_gru.decoding.pronunciation_choice import align_words
from asr_gru.errors import DataError

TOKEN = st.integers(1, 3)
WORD = st.lists(
    st.lists(TOKEN, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3, unique=True
)


def log_probs(frames: int, seed: int, tokens: int = 4) -> np.ndarray:
    scores = np.random.default_rng(seed).standard_normal((frames, tokens)) * 2
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


@given(st.lists(WORD, min_size=1, max_size=3), st.integers(18, 22), st.integers(0, 1000))
def test_the_choice_is_the_best_of_all(words, frames, seed):
    scores = log_probs(frames, seed)
    found = align_words(scores, words)
    best = max(
        force_align(scores, [token for way in ways for token in way])[1]
        for ways in itertools.product(*words)
    )
    assert found.log_prob == pytest.approx(best, abs=1e-4)
    chosen = [way[choice] for way, choice in zip(words, found.chosen, strict=True)]
    assert found.tokens == [token for way in chosen for token in way]
    assert found.frames == sorted(set(found.frames))
    assert len(found.frames) == len(found.tokens)


def test_what_is_said_is_chosen():
    path = [0, 1, 1, 0, 3, 3, 0, 2, 2, 0]
    scores = np.full((len(path), 4), -8.0, np.float32)
    scores[np.arange(len(path)), path] = -0.01
    found = align_words(scores, [[(2, 3), (1, 3)], [(2,), (1,)]])
    assert (found.chosen, found.tokens, found.frames) == ([1, 0], [1, 3, 2], [1, 4, 7])
    assert collapse(path) == found.tokens


def test_no_words_are_all_blank():
    scores = log_probs(5, 0)
    found = align_words(scores, [])
    assert not found.tokens
    assert found.log_prob == pytest.approx(float(scores[:, 0].sum()))


def test_only_ways_that_fit_are_chosen():
    assert align_words(log_probs(3, 1), [[(1, 1, 1), (2, 2)]]).chosen == [1]
    with pytest.raises(DataError, match="does not fit into 2 frames"):
        align_words(log_probs(2, 1), [[(1, 1, 1), (2, 2)]])
