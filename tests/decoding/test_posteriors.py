"""The probability that an utterance is at its end, and posteriors of words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asr_gru.decoding.tree_state import END, ONSET, POSTERIOR, SCORE, WORD
from tests.decoding.conftest import log_softmax
from tests.decoding.words import WORDS, Bigrams, decode, tree_search


class Ends(Bigrams):
    """A model in which a sentence ends after any word with the same probability."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def end(self, states: np.ndarray) -> np.ndarray:
        return np.full(len(states), np.log(self.probability), np.float32)


def test_the_probability_of_an_end_is_a_mean_over_hypotheses():
    """Hypotheses within a word count as not ending."""
    rows = np.log(np.array([[1e-4, 1e-4, 0.9997, 1e-4], [0.9997, 1e-4, 1e-4, 1e-4]], np.float32))

    def probability(model: Bigrams, **parameters: float) -> float:
        decoder = tree_search(model, language_weight=1.0, **parameters)
        (state,) = decoder.advance([decoder.start()], [rows])
        found = decoder.end_probability(state)
        assert found is not None
        assert decoder.end_probability(decoder.finish(state)) is None
        return found

    model = Bigrams()
    best = max("b", "bee", key=lambda word: model.table[model.words, WORDS.index(word)])
    alone = float(np.exp(model.table[WORDS.index(best), model.words]))
    assert probability(model, width=1) == pytest.approx(alone, rel=1e-5)
    between = sorted(float(np.exp(model.table[WORDS.index(w), model.words])) for w in ("b", "bee"))
    assert 0.0 < probability(model, beam=1e4) < between[1]
    whole = probability(Ends(1.0), beam=1e4)
    assert 0.5 < whole < 1.0  # the rest may go on to "bc"
    assert probability(Ends(0.1), beam=1e4) == pytest.approx(0.1 * whole, rel=1e-5)
    unsure = tree_search(None)
    assert unsure.end_probability(unsure.start()) is None


@pytest.mark.parametrize("together", [False, True])
def test_a_posterior_is_the_share_of_the_hypothesis_when_its_word_was_completed(
    random_rows, together
):
    decoder = tree_search(Bigrams(), beam=30.0, width=500, blank_skip=1, phone_floor=0)
    lists = (
        [random_rows(seed, 12, 4, 5.0) for seed in (3, 4)]
        if together
        else [random_rows(3, 12, 4, 5.0)]
    )
    states, completed = [decoder.start() for _ in lists], 0
    for frame in range(12):
        states = decoder.advance(states, [rows[frame : frame + 1] for rows in lists])
        for state in states:
            ints, floats = state.hypotheses
            rank = floats[SCORE] + decoder._net.below_of(state.hypotheses)
            share = rank - np.log(np.exp(rank).sum())
            new = (ints[WORD] >= 0) & (ints[ONSET] == frame) & (ints[END] == frame)
            assert floats[POSTERIOR, new] == pytest.approx(share[new])
            assert (floats[POSTERIOR, ints[WORD] < 0] == 0).all()
            completed += new.sum()
    assert completed > 20
    for state in states:
        (best,) = decoder.best(decoder.finish(state))
        assert best.words
        assert all(word.posterior < 0 for word in best.words)
        column = decoder.finish(state).hypotheses.floats[SCORE].argmax()
        last = decoder.finish(state).hypotheses.floats[POSTERIOR, column]
        assert best.words[-1].posterior == last


def test_a_word_that_no_frame_completed_has_no_posterior():
    decoder = tree_search(Bigrams(), beam=3.0, width=500)
    rows = log_softmax(np.array([[0.0, 0.0, 0.0, 9.0]])).astype(np.float32)
    (best,) = decode(decoder, rows)
    assert best.words
    assert best.words[-1].posterior == -math.inf
