from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.decoding import GreedyDecoder


@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(2, 5))
def test_greedy_decoding_is_the_collapsed_argmax(random_rows, seed, frames, tokens):
    rows = random_rows(seed, frames, tokens)
    path = rows.argmax(axis=1).tolist()
    runs = [(token, list(run)) for token, run in itertools.groupby(enumerate(path), lambda x: x[1])]
    spoken = [(token, [frame for frame, _ in run]) for token, run in runs if token]

    decoder = GreedyDecoder()
    (path_state,) = decoder.advance([decoder.start()], [rows])
    (best,) = decoder.best(path_state, 5)

    assert best.tokens == tuple(token for token, _ in spoken)
    assert best.frames == tuple(run[0] for _, run in spoken)
    assert best.token_log_probs == tuple(float(rows[run, token].max()) for token, run in spoken)
    assert best.log_prob == pytest.approx(rows.max(axis=1).sum(), abs=1e-4)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 7), max_size=8))
def test_chunking_does_not_change_results(random_rows, seed, cuts):
    """Results are bit-identical, and the given state is not modified."""
    rows = random_rows(seed, sum(cuts), 3)
    decoder = GreedyDecoder()
    (whole,) = decoder.advance([decoder.start()], [rows])
    beams = [decoder.start()]
    for piece in np.split(rows, np.cumsum(cuts)):
        beams += decoder.advance([beams[-1]], [piece])
    assert beams[-1] == whole
    assert beams[0] == decoder.start()


def test_all_tokens_are_stable(random_rows):
    decoder = GreedyDecoder()
    (beam,) = decoder.advance([decoder.start()], [random_rows(1, 30, 4)])
    assert decoder.settled(beam) == len(decoder.best(beam)[0].tokens) > 3
