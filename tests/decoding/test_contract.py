"""The contract that all decoders fulfil."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import (
    AnyDecoder,
    BeamDecoder,
    Decoder,
    Fusion,
    GreedyDecoder,
    TokenModel,
    WordModel,
)
from asr_gru.language.token_trigram import TokenTrigram
from tests.decoding.graphs import graph_search, loop
from tests.decoding.test_beam import Bigrams as TokenBigrams
from tests.decoding.words import Bigrams, tree_search

TRIGRAM = TokenTrigram.estimate([[1, 2, 3], [3, 1], [2, 2, 1]], ["<blank>", "AA", "B", "K"])
DECODERS: dict[str, AnyDecoder] = {
    "greedy": GreedyDecoder(),
    "beam": BeamDecoder(4, blank_threshold=0.7),
    "beam with a language model": BeamDecoder(4, fusion=Fusion(TokenBigrams(4), 0.7, 0.5)),
    "phones": BeamDecoder(8, fusion=Fusion(TRIGRAM, 1.0)),
    "words": tree_search(None, blank_skip=0.7),
    "words with a language model": tree_search(Bigrams(), blank_skip=0.7, histories=2),
    "phrases": graph_search(blank_skip=0.7, beam=8.0, stray=2.0),
    "a grammar": graph_search(loop(), blank_skip=0.7, beam=8.0, width=3),
}
FED = st.tuples(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=1, max_size=5))


def read(decoder, state):
    """Return everything that a partial is made of."""
    (partial,) = decoder.partials([state])
    found = [partial.shown, decoder.settled(state)]
    for one in (partial.hypothesis, *decoder.best(state)):
        words = one.words and [(word.text, word.start, word.stop) for word in one.words]
        found += [one.tokens, one.frames, one.ends, one.token_log_probs, words]
    return found


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=25, deadline=None)
@given(st.lists(FED, min_size=1, max_size=4))
def test_decoders_do_not_depend_on_chunking_or_batching(random_rows, name, fed):
    """Results are bit-identical in chunks and batches, and states are never modified."""
    decoder = DECODERS[name]
    rows = [random_rows(seed, sum(cuts), 4, 6.0) for seed, cuts in fed]
    pieces = [np.split(r, np.cumsum(cuts[:-1])) for r, (_, cuts) in zip(rows, fed, strict=True)]
    empty = random_rows(0, 0, 4)
    start = decoder.start()
    before = decoder.best(start, 9)
    assert [one.tokens for one in before] == [()]
    assert decoder.settled(start) == 0
    states = [start] * len(fed)
    settled: list[tuple[int, ...]] = [()] * len(fed)
    for number in range(max(map(len, pieces))):
        parts = [own[number] if number < len(own) else empty for own in pieces]
        earlier, states = states, decoder.advance(states, parts)
        assert decoder.partials(states) == [decoder.partials([state])[0] for state in states]
        for one, state in zip(earlier, states, strict=True):
            if decoder.reads_alike(one, state):
                assert read(decoder, one) == read(decoder, state)
        for place, state in enumerate(states):
            readings = decoder.best(state, 50)
            scores = [one.log_prob for one in readings]
            assert scores == sorted(scores, reverse=True)
            assert decoder.best(state) == readings[:1]
            for one in readings:
                assert one.tokens[: len(settled[place])] == settled[place]
            settled[place] = readings[0].tokens[: decoder.settled(state)]
    for own, state, common in zip(rows, states, settled, strict=True):
        (alone,) = decoder.advance([start], [own])
        readings = decoder.best(state, 50)
        assert readings == decoder.best(alone, 50)
        ended = decoder.finish(state)
        assert decoder.best(ended, 50) == decoder.best(decoder.finish(alone), 50)
        assert decoder.best(decoder.finish(ended), 50) == decoder.best(ended, 50)
        assert decoder.best(state, 50) == readings
        for one in decoder.best(ended, 50):
            assert one.tokens[: len(common)] == common[: len(one.tokens)]
            assert len(one.frames) == len(one.token_log_probs) == len(one.tokens)
            assert all(0 <= frame < len(own) for frame in one.frames)
            if one.words is not None and one.words:
                assert one.words[-1].stop == len(one.tokens)
    assert decoder.best(start, 9) == before
    assert decoder.advance([], []) == []


@pytest.mark.parametrize("keep", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])  # noqa: S301
@pytest.mark.parametrize("name", DECODERS)
def test_states_of_any_length_can_be_pickled(random_rows, name, keep):
    """An hour without endpoints, where recursive pickling would exceed the recursion limit."""
    decoder = DECODERS[name]
    rows = random_rows(1, 6_000, 4, 6.0)
    (state,) = decoder.advance([decoder.start()], [rows[:5_000]])
    kept = keep(state)
    assert len(decoder.best(state)[0].tokens) > 1_000 or name == "phrases"
    assert decoder.best(kept, 50) == decoder.best(state, 50)
    ends = [decoder.finish(decoder.advance([one], [rows[5_000:]])[0]) for one in (state, kept)]
    assert decoder.best(ends[1], 50) == decoder.best(ends[0], 50)


@pytest.mark.parametrize("protocol", [Decoder, TokenModel, WordModel])
def test_a_decoder_without_a_required_method_cannot_be_instantiated(protocol):
    incomplete = type("Incomplete", (protocol,), {})
    with pytest.raises(TypeError, match="abstract"):
        incomplete()
