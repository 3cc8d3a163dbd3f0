from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import BeamDecoder, Fusion, GreedyDecoder


def full(fusion: Fusion | None = None) -> BeamDecoder:
    """A beam that drops nothing."""
    return BeamDecoder(
        10_000, tokens_a_frame=100, margin=math.inf, blank_threshold=1.0, fusion=fusion
    )


def decode(decoder: BeamDecoder, rows: np.ndarray):
    return decoder.best(decoder.advance([decoder.start()], [rows])[0], 100_000)


class Bigrams:
    """Scores a token by the one before it."""

    def __init__(self, tokens: int) -> None:
        table = np.random.default_rng(7).normal(size=(tokens, tokens))
        self.table = (table - np.log(np.exp(table).sum(1, keepdims=True))).tolist()

    def start(self) -> int:
        return 0

    def score(self, state: int, token: int) -> tuple[float, int]:
        return self.table[state][token], token

    def end(self, state: int) -> float:
        return self.table[state][0]

    def text(self, tokens: tuple[int, ...]) -> float:
        """The end is scored as token 0, the blank, which no text has."""
        context = (0, *tokens, 0)
        return sum(self.table[a][b] for a, b in itertools.pairwise(context))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(1, 3), (3, 2), (4, 3), (5, 3), (4, 4)]))
def test_equals_exhaustive_enumeration(random_rows, exhaustive, seed, size):
    """Probabilities and n-best order."""
    rows = random_rows(seed, *size)
    expected = exhaustive(rows)
    found = decode(full(), rows)
    assert {h.tokens for h in found} == set(expected)
    for hypothesis in found:
        assert hypothesis.log_prob == pytest.approx(expected[hypothesis.tokens], abs=1e-6)
    assert [h.log_prob for h in found] == sorted((h.log_prob for h in found), reverse=True)
    assert np.logaddexp.reduce([h.log_prob for h in found]) == pytest.approx(0.0, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 2.0), st.floats(-1.0, 2.0))
def test_equals_exhaustive_enumeration_with_a_language_model(
    random_rows, exhaustive, seed, weight, bonus
):
    rows, model = random_rows(seed, 4, 4), Bigrams(4)
    expected = exhaustive(rows, lambda text: weight * model.text(text) + bonus * len(text))
    decoder = full(Fusion(model, weight, bonus))
    (beam,) = decoder.advance([decoder.start()], [rows])
    found = decoder.best(decoder.finish(beam), 100_000)
    assert {h.tokens for h in found} == set(expected)
    for hypothesis in found:
        assert hypothesis.log_prob == pytest.approx(expected[hypothesis.tokens], abs=1e-6)
    assert [h.log_prob for h in found] == sorted((h.log_prob for h in found), reverse=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 6), max_size=6), st.integers(1, 8))
def test_chunking_does_not_change_results(random_rows, seed, cuts, width):
    """Results are bit-identical, and the given state is not modified."""
    rows = random_rows(seed, sum(cuts), 4, 6.0)
    decoder = BeamDecoder(width, blank_threshold=0.6, fusion=Fusion(Bigrams(4)))
    whole = decode(decoder, rows)
    beam = start = decoder.start()
    for piece in np.split(rows, np.cumsum(cuts)):
        (beam,) = decoder.advance([beam], [piece])
    assert decoder.best(beam, 100) == whole
    assert [h.tokens for h in decoder.best(start, 100)] == [()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 25))
def test_token_frames_are_an_alignment(random_rows, seed, frames):
    """Frames increase strictly, and their log-probabilities bound those of the tokens."""
    rows = random_rows(seed, frames, 5, 6.0)
    for hypothesis in decode(BeamDecoder(6), rows):
        assert len(hypothesis.tokens) == len(hypothesis.frames) == len(hypothesis.token_log_probs)
        assert all(a < b for a, b in zip((-1, *hypothesis.frames), hypothesis.frames, strict=False))
        for token, frame, log_prob in zip(
            hypothesis.tokens, hypothesis.frames, hypothesis.token_log_probs, strict=True
        ):
            assert frame < frames
            assert float(rows[frame, token]) <= log_prob + 1e-6 <= 1e-6


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_it_agrees_with_greedy_decoding_on_certain_frames(random_rows, seed, frames):
    path = np.random.default_rng(seed).integers(0, 4, frames)
    rows = np.log(np.full((frames, 4), 1e-4, np.float32))
    rows[np.arange(frames), path] = np.log(np.float32(0.9997))
    greedy = GreedyDecoder()
    expected = greedy.best(greedy.advance([greedy.start()], [rows])[0])[0]
    best = decode(BeamDecoder(4), rows)[0]
    assert (best.tokens, best.frames) == (expected.tokens, expected.frames)
    assert best.token_log_probs == pytest.approx(expected.token_log_probs)


def test_a_skipped_blank_keeps_repeats_apart():
    rows = np.log(np.array([[0.1, 0.9], [0.999, 0.001], [0.999, 0.001], [0.1, 0.9]], np.float32))
    assert decode(BeamDecoder(4), rows)[0].tokens == (1, 1)
    assert decode(BeamDecoder(4), rows)[0].frames == (0, 3)


def test_each_option_changes_something(random_rows):
    rows = random_rows(3, 6, 5)
    assert len(decode(BeamDecoder(3), rows)) == 3
    assert len(decode(BeamDecoder(50, margin=1.0), rows)) < len(decode(BeamDecoder(50), rows))
    one = decode(BeamDecoder(500, tokens_a_frame=1), rows)
    assert len(one) < len(decode(BeamDecoder(500), rows))
    skipping = decode(BeamDecoder(50, blank_threshold=0.2), rows)
    assert skipping[0].log_prob != decode(BeamDecoder(50), rows)[0].log_prob


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_stable_tokens_never_change(random_rows, seed):
    rows = random_rows(seed, 40, 5, 9.0)
    decoder = BeamDecoder(4)
    beam = decoder.start()
    settled: tuple[int, ...] = ()
    for row in rows:
        (beam,) = decoder.advance([beam], [row[None]])
        count = decoder.settled(beam)
        readings = [h.tokens for h in decoder.best(beam, 100)]
        assert all(tokens[: len(settled)] == settled for tokens in readings)
        assert len({tokens[:count] for tokens in readings}) == 1
        settled = readings[0][:count]


def test_stable_tokens_are_the_common_prefix_of_all_hypotheses():
    rows = np.log(np.array([[0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.1, 0.45, 0.45]], np.float32))
    decoder = BeamDecoder(2)
    (beam,) = decoder.advance([decoder.start()], [rows])
    assert {h.tokens for h in decoder.best(beam, 2)} == {(1, 1), (1, 2)}
    assert decoder.settled(beam) == 1
