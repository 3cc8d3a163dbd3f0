"""The graph search against brute force; rejection; bit identity in batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import GraphSearch, GraphSearchParameters, build_phone_graph
from asr_gru.errors import ConfigError, Error, ModelError
from asr_gru.language import PronunciationTable, phrase_graph
from asr_gru.results import Match
from tests.decoding.graphs import (
    PHRASES,
    brute_force,
    exact_search,
    graph_search,
    loop,
    phone_graph,
    slow_search,
)
from tests.decoding.words import TOKENS

SHORT = {"seed": st.integers(0, 100_000), "frames": st.integers(0, 6)}


def decode(decoder, rows, n=1):
    (state,) = decoder.advance([decoder.start()], [rows])
    return decoder.best(decoder.finish(state), n)


def words_of(hypothesis):
    return tuple(word.text for word in hypothesis.words)


def spell(*phones, sure=0.97):
    """Return log-probabilities of tokens of one frame each."""
    rows = np.full((len(phones), TOKENS), (1 - sure) / (TOKENS - 1))
    rows[np.arange(len(phones)), phones] = sure
    return np.log(rows).astype(np.float32)


@settings(max_examples=60)
@given(**SHORT, rejection=st.floats(0, 4), bias=st.floats(-1, 2))
def test_scores_of_phrases_equal_brute_force(random_rows, seed, frames, rejection, bias):
    rows = random_rows(seed, frames, TOKENS, 5.0)
    decoder = exact_search(rejection=rejection, blank_bias=bias)
    expected, other = brute_force(rows, phrase_graph(PHRASES), decoder.parameters)
    hypotheses = decode(decoder, rows, 99)
    found = {words_of(hypothesis): hypothesis.log_prob for hypothesis in hypotheses}
    assert len(found) == len(hypotheses)
    assert found.pop(()) == pytest.approx(other, abs=1e-5)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-5)


@settings(max_examples=60)
@given(**SHORT)
def test_a_graph_with_loops_and_weights_finds_the_best_sentence(random_rows, seed, frames):
    rows = random_rows(seed, frames, TOKENS, 5.0)
    decoder = exact_search(loop(), rejection=3.0)
    expected, other = brute_force(rows, loop(), decoder.parameters)
    best = max([*expected.values(), other])
    (found,) = decode(decoder, rows)
    assert found.log_prob == pytest.approx(best, abs=1e-5)
    assert found.log_prob == pytest.approx(expected.get(words_of(found), other), abs=1e-5)


@settings(max_examples=60)
@given(**SHORT, stray=st.floats(0, 3))
def test_stray_phones_around_a_phrase_are_skipped_at_a_cost(random_rows, seed, frames, stray):
    rows = random_rows(seed, frames, TOKENS, 5.0)
    decoder = exact_search(stray=stray, rejection=0.5, phone_floor=1e-3)
    ways = {("ab", "b"): ((1, 2, 2), {0, 2, 3}), ("aa",): ((1, 1), {0, 2}), ("b",): ((2,), {0, 1})}
    hypotheses = {words_of(one): one.log_prob for one in decode(decoder, rows, 99)}
    for words, (phones, ends) in ways.items():
        expected = slow_search(rows, phones, ends, decoder.parameters)
        assert hypotheses.get(words, -math.inf) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 40))
def test_pruning_and_skipped_blanks_change_scores_little(random_rows, seed, frames):
    rows = random_rows(seed, frames, TOKENS, 9.0)
    whole = decode(exact_search(rejection=2.0), rows)[0]
    narrow = decode(exact_search(rejection=2.0, beam=40.0, width=30), rows)[0]
    assert words_of(whole) == words_of(narrow)
    assert narrow.log_prob == whole.log_prob


@pytest.mark.parametrize("skip", [0.9, 1.0])
def test_words_have_their_times(skip):
    decoder = graph_search(blank_skip=skip, blank_bias=0.0)
    rows = spell(0, 1, 1, 2, 0, 0, 2, 0)  # ab b
    (best,) = decode(decoder, rows)
    assert words_of(best) == ("ab", "b")
    assert best.tokens == (1, 2, 2)
    assert best.frames == (1, 3, 6)
    assert best.ends == (3, 4, 7)
    assert [(word.start, word.stop) for word in best.words] == [(0, 2), (2, 3)]
    assert best.log_prob == pytest.approx(8 * math.log(0.97), abs=1e-5)
    assert sum(word.acoustic for word in best.words) == pytest.approx(best.log_prob)
    assert [word.language for word in best.words] == [0.0, 0.0]


def test_weights_are_separate_from_acoustic_scores():
    (best,) = decode(exact_search(loop(), blank_bias=0.0), spell(1, 3, 1, 2))
    assert words_of(best) == ("a", "cab")
    assert [round(word.language, 6) for word in best.words] == [-0.3, -0.25]  # the end's
    assert best.log_prob == pytest.approx(4 * math.log(0.97) - 0.3 - 0.25, abs=1e-5)


@pytest.mark.parametrize("phones", [(3, 3, 0, 3, 0), (1, 2, 0), (2, 3, 3, 2, 1, 3, 2), (0, 0, 0)])
def test_other_speech_and_silence_are_rejected(phones):
    best, *_ = decode(graph_search(rejection=1.0), spell(*phones), 5)
    assert (best.tokens, best.words) == ((), ())
    assert best.match is None


def test_rejection_is_a_threshold():
    rows = spell(1, 0, 3, 0)  # as "a" followed by a stray c
    assert words_of(decode(graph_search(rejection=0.0, stray=2.0), rows)[0]) == ()
    assert words_of(decode(graph_search(rejection=1.5, stray=2.0), rows)[0]) == ("a",)
    assert words_of(decode(graph_search(rejection=0.5, stray=2.0), rows)[0]) == ()


def test_silence_after_other_speech_does_not_revive_a_phrase():
    decoder = graph_search(beam=5.0, rejection=0.5)
    (state,) = decoder.advance([decoder.start()], [spell(3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3)])
    assert not len(state.tokens.history)
    (state,) = decoder.advance([state], [spell(0, 0, 1, 2, 0)])
    assert words_of(decoder.best(decoder.finish(state))[0]) == ()


def test_the_matcher_is_called_only_at_the_end():
    match = Match(phrase="Ab, b!", index=1)
    decoder = GraphSearch(phone_graph(), TOKENS, lambda words: match if words else None)
    (state,) = decoder.advance([decoder.start()], [spell(1, 2, 0, 2)])
    assert decoder.best(state)[0].match is None
    assert decoder.best(decoder.finish(state))[0].match == match
    with pytest.raises(Error, match="finished"):
        decoder.advance([decoder.finish(state)], [spell(1)])


def test_phrases_share_prefixes_in_the_graph():
    phrases = [("ab", "b"), ("ab", "bc"), ("ab", "a")]
    graph = phone_graph(phrase_graph(phrases))
    # the start; a of "ab", b of "bc", c of "a"; the ends of "ab", "b", "bc", and of "a" in each way
    assert len(graph) == 1 + 3 + 4
    assert graph.phone[graph.between_words].tolist().count(0) == 1  # the start


def test_invalid_graphs_are_refused():
    graph = phrase_graph([("b",)])
    none = PronunciationTable(np.array([0, 0]), np.array([0]), np.zeros(0, np.int64))
    with pytest.raises(ModelError, match="without a pronunciation"):
        build_phone_graph(graph, none)
    with pytest.raises(ModelError, match="phones that the acoustic model lacks"):
        GraphSearch(phone_graph(), 2)
    decoder = graph_search()
    with pytest.raises(ModelError, match="for a model of 4 tokens"):
        decoder.advance([decoder.start()], [np.zeros((2, 7), np.float32)])


@pytest.mark.parametrize(
    ("name", "value"),
    [("rejection", -1), ("stray", math.nan), ("beam", 0), ("width", 0), ("phone_floor", 0.9)],
)
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        GraphSearchParameters(**{name: value})
