from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import Hypothesis, WordScore, WordTimes, word_confidence, words_of
from asr_gru.results import Word
from asr_gru.text import CharacterTokenizer, PhoneTokenizer
from tests.decoding.words import Bigrams, tree_search

TOKENS = CharacterTokenizer(" abc")
A, B, SPACE = 2, 3, 1


def hypothesis(tokens, frames, log_probs=None):
    return Hypothesis(
        tuple(tokens), tuple(frames), -1.0, tuple(log_probs or [-0.1] * len(list(tokens)))
    )


def test_words_begin_and_end_with_their_tokens():
    words = words_of(
        hypothesis([A, B, SPACE, B], [5, 7, 12, 14]),
        TOKENS,
        WordTimes(0.04, shift_s=-0.1),
        first_frame=100,
    )
    assert [word.text for word in words] == ["ab", "b"]
    assert [word.start_s for word in words] == pytest.approx([4.1, 4.46])
    assert [word.end_s for word in words] == pytest.approx([4.18 + 0.16, 4.46 + 0.16])


def test_a_word_of_one_piece_lasts_as_long_as_its_letters():
    """CTC emits a piece in one frame of 40 ms, at its start."""
    names = ["_general", "_of", "_a", "_rules"]
    pieces = Pieces(names)
    words = words_of(hypothesis([0, 1, 2, 3], [10, 26, 29, 40]), pieces, WordTimes(0.04))
    durations = [word.end_s - word.start_s for word in words]
    assert durations == pytest.approx(
        [7 * 0.08, 0.12, 0.16, 5 * 0.08]
    )  # "of" ends where "a" begins
    (word,) = words_of(hypothesis([3], [40]), pieces, WordTimes(0.04), latest_s=1.7)
    assert word.end_s == 1.7  # not after the end of the audio


def test_repeated_token_frames_extend_a_word():
    (word,) = words_of(Hypothesis((A,), (5,), -1.0, (-0.1,), ends=(15,)), TOKENS, WordTimes(0.04))
    assert (word.start_s, word.end_s) == pytest.approx((0.2, 0.6))


@dataclass
class Pieces:
    """A tokenizer in which every word is a piece."""

    names: list[str]

    def word_spans(self, tokens):
        return [(self.names[t].lstrip("_"), i, i + 1) for i, t in enumerate(tokens)]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9), st.floats(-50, 0)), max_size=30),
    st.integers(0, 10**7),
    st.floats(-1, 0),
    st.floats(0, 20),
    st.floats(0.1, 10),
)
def test_times_are_monotone_and_confidences_between_0_and_1(written, first, shift, latest, heat):
    frames, at = [], -1
    for _, gap, _ in written:
        at += gap
        frames.append(at)
    words = words_of(
        hypothesis([t for t, _, _ in written], frames, [p for _, _, p in written]),
        TOKENS,
        WordTimes(0.04, shift, heat),
        first_frame=first,
        latest_s=first * 0.04 + latest,
    )
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(0.0 <= time <= first * 0.04 + latest for time in times)
    assert all(0.0 <= word.confidence <= 1.0 for word in words)


@given(st.floats(-700, 0), st.floats(0.05, 20))
def test_confidence_is_the_probability_of_the_weakest_token(log_prob, heat):
    assert word_confidence([0.0, log_prob, 0.0]) == pytest.approx(math.exp(log_prob), abs=1e-9)
    assert 0.0 <= word_confidence([log_prob], heat) <= 1.0


def test_temperature_moves_confidences_towards_one_half():
    sure, unsure = math.log(0.9), math.log(0.1)
    assert 0.5 < word_confidence([sure], 2.0) < 0.9
    assert 0.1 < word_confidence([unsure], 2.0) < 0.5
    assert word_confidence([0.0], 2.0) == 1.0
    assert word_confidence([-math.inf], 2.0) < 1e-9


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_reusing_words_of_an_earlier_hypothesis_changes_nothing(random_rows, seed, step):
    decoder, tokens, times = (
        tree_search(Bigrams()),
        PhoneTokenizer(["A", "B", "C"]),
        WordTimes(0.04),
    )
    state, known = decoder.start(), None
    for rows in np.split(random_rows(seed, 60, 4, 6.0), range(step, 60, step)):
        (state,) = decoder.advance([state], [rows])
        (best,) = decoder.best(state)
        words = words_of(best, tokens, times, latest_s=0.04 * state.frame, known=known)
        assert words == words_of(best, tokens, times, latest_s=0.04 * state.frame)
        known = best, words


def test_words_of_an_earlier_hypothesis_are_reused():
    scores = [WordScore("a", 0, 1, -1.0, -2.0), WordScore("b", 1, 2, -1.0, -2.0)]
    now = Hypothesis((1, 2), (3, 9), 0.0, (-0.1, -0.1), ends=(4, 10), words=tuple(scores))
    own = Word("known", 0.0, 0.1, 1.0)
    tokens = PhoneTokenizer(["A", "B", "C"])
    words = words_of(now, tokens, WordTimes(0.04), known=(now, (own, own)))
    assert [word.text for word in words] == ["known", "b"]
    for other in (
        replace(now, frames=(3, 8)),  # the start of the next word limits the end
        replace(now, ends=(5, 10)),
        replace(now, token_log_probs=(-0.2, -0.1)),
        replace(now, words=(scores[0]._replace(language=-3.0), scores[1])),
    ):
        words = words_of(now, tokens, WordTimes(0.04), known=(other, (own, own)))
        assert [word.text for word in words] == ["a", "b"]
