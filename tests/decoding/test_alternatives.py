"""N-best lists and word alternatives, against exhaustive search."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru import ConfigError, EndpointRules, Word, WordAlternative
from asr_gru.decoding import BeamDecoder, WordTimes, alternatives
from asr_gru.decoding.alternatives import (
    check_alternatives,
    n_best,
    probabilities,
    word_alternatives,
)
from asr_gru.streaming.segmenter import Segmenter
from asr_gru.text import CharacterTokenizer, PhoneTokenizer
from tests.decoding.words import Bigrams, brute_force, exact_search

TOKENS = PhoneTokenizer(["AA", "B", "K"])


def spoken_words(text, *, at=(), each=1.0):
    """Return words of one second each, or at the given times."""
    words = text.split()
    times = at or [(each * place, each * (place + 1)) for place in range(len(words))]
    return tuple(Word(w, start, end, 0.5) for w, (start, end) in zip(words, times, strict=True))


def texts_and_probabilities(places):
    return [[(one.text, pytest.approx(one.probability)) for one in place] for place in places]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 5),
    st.sampled_from([None, Bigrams()]),
    st.integers(1, 20),
)
def test_alternatives_are_the_n_best_of_an_exhaustive_search(random_rows, seed, frames, model, n):
    rows = random_rows(seed, frames, 4, 3.0)
    decoder = exact_search(model, word_bonus=1.0)
    scores = brute_force(rows, model, decoder.parameters)
    expected = sorted(scores.values(), reverse=True)[:n]
    segmenter = Segmenter(decoder, TOKENS, WordTimes(0.04), EndpointRules.off(), alternatives=n)
    found = segmenter.advance(rows) + segmenter.finish(frames * 0.04)
    if not max(scores, key=scores.__getitem__):
        assert found == []
        return
    (segment,) = found
    assert [one.log_prob for one in segment.alternatives] == pytest.approx(expected, abs=1e-5)
    for one in segment.alternatives:
        assert one.log_prob == pytest.approx(scores[tuple(one.text.split())], abs=1e-5)
    masses = np.exp(np.array(expected) - max(expected))
    shares = [one.probability for one in segment.alternatives]
    assert shares == pytest.approx(list(masses / masses.sum()), abs=1e-5)
    assert len({one.text for one in segment.alternatives}) == len(shares)
    assert segment.alternatives[0].text == segment.text
    for word, best in zip(segment.words, segment.alternatives[0].words, strict=True):
        assert (word.text, word.start_s, word.end_s) == (best.text, best.start_s, best.end_s)
        own = {one.text: one.probability for one in word.alternatives}
        assert len(own) == len(word.alternatives)
        assert sum(own.values()) == pytest.approx(1.0)
        assert own[word.text] >= shares[0] - 1e-9
        assert [*own.values()] == sorted(own.values(), reverse=True)


def max_gain(best, words):
    """The largest gain of any alignment, found by trying all of them."""
    if not best or not words:
        return 0.0
    one, other = best[-1], words[-1]
    common = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    pair = -math.inf
    if common > 0:
        whole = max(one.end_s, other.end_s) - min(one.start_s, other.start_s)
        pair = max_gain(best[:-1], words[:-1]) + common / whole + (one.text == other.text)
    return max(pair, max_gain(best[:-1], words), max_gain(best, words[:-1]))


TIMES = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=5)


def placed(pauses, seed):
    now, words = 0, []
    for number, (pause, length) in enumerate(pauses):
        now += pause
        words.append(Word("abc"[(seed + number * number) % 3], now, now + length, 0.5))
        now += length
    return tuple(words)


@settings(max_examples=150, deadline=None)
@given(TIMES, TIMES, st.integers(0, 9))
def test_the_alignment_of_hypotheses_has_the_most_words_in_common(first, second, seed):
    best, words = placed(first, 0), placed(second, seed)
    places = word_alternatives([best, words], [0.75, 0.25])
    assert len(places) == len(best)
    for word, place in zip(best, places, strict=True):
        own = {one.text: one.probability for one in place}
        assert own[word.text] in (0.75, 1.0)
        assert sum(own.values()) == 1.0
        assert own.keys() <= {word.text, "", *(other.text for other in words)}
    pairs = alternatives._aligned(best, words)
    at = [words.index(one) for one in pairs if one is not None]
    assert at == sorted(set(at))
    gained = sum(alternatives._gain(a, b) for a, b in zip(best, pairs, strict=True) if b)
    assert gained == pytest.approx(max_gain(best, words))


def test_words_compete_with_words_at_the_same_time():
    hypotheses = [
        spoken_words("see the cat"),
        spoken_words("see a cat"),
        spoken_words("sea the cat"),
    ]
    assert texts_and_probabilities(word_alternatives(hypotheses, [0.5, 0.3, 0.2])) == [
        [("see", 0.8), ("sea", 0.2)],
        [("the", 0.7), ("a", 0.3)],
        [("cat", 1.0)],
    ]


def test_the_likeliest_word_need_not_be_in_the_best_hypothesis():
    hypotheses = [spoken_words("see cats"), spoken_words("sea cat"), spoken_words("sea cut")]
    assert texts_and_probabilities(word_alternatives(hypotheses, [0.4, 0.35, 0.25]))[0] == [
        ("sea", 0.6),
        ("see", 0.4),
    ]


def test_equal_words_are_paired_by_time():
    late = spoken_words("no", at=[(2.1, 2.9)])
    assert texts_and_probabilities(
        word_alternatives([spoken_words("no no no"), late], [0.6, 0.4])
    ) == [
        [("no", 0.6), ("", 0.4)],
        [("no", 0.6), ("", 0.4)],
        [("no", 1.0)],
    ]


def test_inserted_and_deleted_words_are_alternatives():
    hypotheses = [
        spoken_words("big cat", at=[(0, 1), (2, 3)]),
        spoken_words("cat", at=[(2, 3)]),
        spoken_words("big old cat", at=[(0, 1), (1, 2), (2, 3)]),
        (),
    ]
    assert texts_and_probabilities(word_alternatives(hypotheses, [0.4, 0.3, 0.2, 0.1])) == [
        [("big", 0.6), ("", 0.4)],
        [("cat", 0.9), ("", 0.1)],
    ]


def test_probabilities_of_distant_scores_are_finite():
    assert probabilities([-1e6, -1e6 - math.log(3), -1e9]) == pytest.approx([0.75, 0.25, 0.0])


def test_texts_are_distinct_even_if_a_decoder_repeats_one(random_rows):
    """With and without a space at the end a text is the same."""
    tokens, decoder = CharacterTokenizer(" ab"), BeamDecoder(30)
    (state,) = decoder.advance([decoder.start()], [random_rows(3, 12, 4, 2.0)])
    state = decoder.finish(state)
    best = decoder.best(state)[0]
    found = n_best(decoder, state, best, 12, tokens)
    texts = [tokens.decode(one.tokens).split() for one in found]
    assert len(texts) == len({tuple(text) for text in texts}) == 12
    assert found[0] == best
    first = [tokens.decode(one.tokens).split() for one in decoder.best(state, 12)]
    assert len({tuple(text) for text in first}) < 12


@pytest.mark.parametrize("count", [0, -1, 21, True, 2.0, "3", [1]])
def test_invalid_counts_are_refused(count):
    with pytest.raises(ConfigError, match=r"^alternatives is .*; give 1 to 20$"):
        check_alternatives(count)


def test_valid_counts_are_accepted():
    assert [check_alternatives(n) for n in (None, 1, np.int64(20))] == [None, 1, 20]


def test_alternatives_are_converted_to_json():
    assert WordAlternative("a", 0.12345).to_dict() == {"text": "a", "probability": 0.123}
