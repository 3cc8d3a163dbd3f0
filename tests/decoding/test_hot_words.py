"""Bonuses of phrases and words outside the lexicon, against brute force."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr_gru.decoding import HotWords
from tests.decoding.words import (
    WORDS,
    Bigrams,
    assert_n_best,
    brute_force,
    decode,
    exact_search,
    occurrences,
    texts,
    tree_search,
)

FIRST = len(WORDS)
OWN = {FIRST: ((3, 3), (2, 1, 2)), FIRST + 1: ((1, 2, 2),), 2: ((3,),)}
"""Hot words with two new words, one of which has two pronunciations, and another one of "b"."""
WORD = st.integers(0, FIRST + 1)
PHRASE = st.tuples(st.lists(WORD, min_size=1, max_size=3).map(tuple), st.floats(0.5, 9))
PHRASES = st.lists(PHRASE, max_size=5).map(tuple)


def hot_words(phrases, caution=0.0):
    return HotWords(phrases, FIRST, OWN, ("zed", "ox"), caution)


def score_from_frames(one, rows, model, decoder, hot):
    """Return the score of a hypothesis from its frames, with bonuses reduced by their fit."""
    path = np.zeros(len(rows), np.int64)
    for token, first, behind in zip(one.tokens, one.frames, one.ends, strict=True):
        path[first:behind] = token
    given = rows.astype(np.float64)
    given[:, 0] -= decoder.parameters.blank_bias
    own = given[np.arange(len(rows)), path]
    lacking = np.append(0.0, (given.max(1) - own).cumsum())
    numbers = {**{text: n for n, text in enumerate(WORDS)}, "zed": FIRST, "ox": FIRST + 1}
    total, context = float(own.sum()), model.start()
    state, charged = np.zeros(1, np.int64), np.zeros(1)
    for word in one.words:
        number = numbers[word.text]
        begin, last = one.frames[word.start], one.frames[word.stop - 1]
        gain, state, charged = hot.follow(
            state,
            np.array([number]),
            shortfall=np.array([lacking[last + 1] - lacking[begin]]),
            charged=charged,
        )
        total += decoder.parameters.language_weight * word.language + float(gain[0])
        total += decoder.parameters.word_bonus
        context = number if number < FIRST else model.unk
    total += decoder.parameters.language_weight * float(model.table[context, model.words])
    return total - float(hot.pending[state[0]]) + float(charged[0])


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2, 3, 4, 5]),
    st.sampled_from([None, Bigrams()]),
    PHRASES,
)
def test_equals_exhaustive_search(random_rows, seed, frames, model, phrases):
    """Each occurrence of a phrase adds its bonus, and nothing else does."""
    rows, hot = random_rows(seed, frames, 4, 3.0), hot_words(phrases)
    decoder = exact_search(model).with_hot_words(hot)
    expected = brute_force(rows, model, decoder.parameters, hot)
    found = decode(decoder, rows, 10_000)
    assert_n_best(found, expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), PHRASES)
def test_one_history_finds_the_best_sentence(random_rows, seed, frames, phrases):
    rows, hot, model = random_rows(seed, frames, 4, 3.0), hot_words(phrases), Bigrams()
    decoder = exact_search(model, histories=1).with_hot_words(hot)
    expected = brute_force(rows, model, decoder.parameters, hot)
    (best,) = decode(decoder, rows)
    assert best.log_prob == pytest.approx(max(expected.values()), abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), PHRASES, st.sampled_from([0.1, 0.5, 2.0]))
def test_the_bonus_decreases_with_the_fit_of_a_phrase(random_rows, seed, frames, phrases, caution):
    rows, model = random_rows(seed, frames, 4, 3.0), Bigrams()
    hot = hot_words(phrases, caution)
    decoder = exact_search(model).with_hot_words(hot)
    most = brute_force(rows, model, decoder.parameters, hot)
    for one in decode(decoder, rows, 10_000):
        assert one.log_prob == pytest.approx(
            score_from_frames(one, rows, model, decoder, hot), abs=1e-5
        )
        assert one.log_prob <= most[texts([one])[0]] + 1e-5


@settings(max_examples=60, deadline=None)
@given(PHRASES, st.lists(st.tuples(WORD, st.floats(0, 9)), max_size=12), st.floats(0.1, 3))
def test_reduced_bonuses_are_never_negative(phrases, sentence, caution):
    """Bonuses lie between 0 and the weights; advances on unfinished phrases are taken back."""
    hot = hot_words(phrases, caution)
    words = tuple(word for word, _ in sentence)
    state, charged, total = np.zeros(1, np.int64), np.zeros(1), 0.0
    for word, lacking in sentence:
        gain, state, charged = hot.follow(
            state, np.array([word]), shortfall=np.array([lacking]), charged=charged
        )
        total += float(gain[0])
        assert 0 <= charged[0] <= hot.pending[state[0]] + 1e-9
    total += float(charged[0] - hot.pending[state[0]])
    most = sum(weight * occurrences(words, phrase) for phrase, weight in phrases)
    assert -1e-9 <= total <= most + 1e-9
    if not most:
        assert total == pytest.approx(0, abs=1e-9)


def test_caution_rejects_a_poorly_matching_hot_word():
    """ "bc" competes with "b": said clearly it is found, of a trace of its last phone not."""
    rows = np.log(np.full((4, 4), 1e-3, np.float32))
    rows[[0, 2, 3], [2, 0, 0]] = np.log(0.99)
    weight = (((3,), 9.0),)
    for share, found in ((0.9, "bc"), (0.01, "b")):
        rows[1, [0, 3]] = np.log([1 - share, share])
        decoder = exact_search(None).with_hot_words(hot_words(weight, 3.0))
        assert texts(decode(decoder, rows)) == [(found,)]
    free = exact_search(None).with_hot_words(hot_words(weight))
    assert texts(decode(free, rows)) == [("bc",)]


@settings(max_examples=60, deadline=None)
@given(PHRASES, st.lists(WORD, max_size=12).map(tuple))
def test_advances_on_unfinished_phrases_are_taken_back(phrases, sentence):
    hot = hot_words(phrases)
    state, total = np.zeros(1, np.int64), 0.0
    for end, word in enumerate(sentence, 1):
        gain, state, _ = hot.follow(state, np.array([word]))
        total += float(gain[0])
        earned = sum(w * occurrences(sentence[:end], phrase) for phrase, w in phrases)
        assert total - float(hot.pending[state[0]]) == pytest.approx(earned, abs=1e-9)
        assert 0 <= state[0] < hot.states
    assert hot.pending[0] == 0


def test_the_beginning_of_a_phrase_gets_part_of_its_bonus():
    hot = HotWords((((1, 2, 3), 9.0), ((2, 5), 4.0)), 10)
    state, gains = np.zeros(1, np.int64), []
    for word in (1, 2, 5, 4):
        gain, state, _ = hot.follow(state, np.array([word]))
        gains.append(float(gain[0]))
    assert gains == pytest.approx([3.0, 3.0, 4.0 - 6.0, 0.0])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=1, max_size=6)),
        min_size=1,
        max_size=4,
    ),
    PHRASES,
    st.sampled_from([1, 3]),
    st.sampled_from([4, 12, 400]),
    st.sampled_from([0.0, 0.7]),
)
def test_chunking_batching_and_pickling_do_not_change_results(
    random_rows, streams, phrases, histories, width, caution
):
    decoder = tree_search(
        Bigrams(), blank_skip=0.6, width=width, histories=histories, blank_bias=0.5
    ).with_hot_words(hot_words(phrases, caution))
    rows = [random_rows(seed, sum(cuts), 4, 8.0) for seed, cuts in streams]
    pieces = [np.split(r, np.cumsum(cuts[:-1])) for r, (_, cuts) in zip(rows, streams, strict=True)]
    states = [decoder.start() for _ in streams]
    for number in range(max(map(len, pieces))):
        fed = [i for i, own in enumerate(pieces) if number < len(own)]
        states = pickle.loads(pickle.dumps(states))  # noqa: S301
        after = decoder.advance([states[i] for i in fed], [pieces[i][number] for i in fed])
        for i, state in zip(fed, after, strict=True):
            states[i] = state
    for own, state in zip(rows, states, strict=True):
        (alone,) = decoder.advance([decoder.start()], [own])
        assert decoder.best(state, 50) == decoder.best(alone, 50)
        assert decoder.partials([state]) == decoder.partials([alone])
        assert decoder.best(decoder.finish(state), 50) == decoder.best(decoder.finish(alone), 50)


def test_a_list_without_phrases_changes_nothing(random_rows):
    rows = random_rows(3, 40, 4, 5.0)
    plain = tree_search(Bigrams(), histories=3)
    empty = plain.with_hot_words(HotWords((), FIRST))
    assert decode(empty, rows, 20) == decode(plain, rows, 20)
    hot = plain.with_hot_words(HotWords((((3,), 5.0),), FIRST))
    assert decode(hot, rows, 20) != decode(plain, rows, 20)
    assert decode(hot.with_hot_words(None), rows, 20) == decode(plain, rows, 20)


def test_a_phrase_survives_a_narrow_beam(random_rows):
    """The bonus is advanced phone by phone, before the beam could prune the phrase."""
    phrase = (FIRST, FIRST + 1, 6)
    hot = HotWords(((phrase, 12.0),), FIRST, OWN, ("zed", "ox"))
    found = {True: 0, False: 0}
    for seed in range(40):
        rows = random_rows(seed, 24, 4, 3.0)
        wide, narrow = (
            tree_search(Bigrams(), beam=beam, width=400, blank_skip=1).with_hot_words(hot)
            for beam in (200.0, 12.0)
        )
        (best,) = decode(wide, rows)
        if ("zed", "ox", "cab") in zip(*(texts([best])[0][i:] for i in range(3)), strict=False):
            found[texts(decode(narrow, rows)) == texts([best])] += 1
    assert found[True] >= 5
    assert found[True] > 4 * found[False]


@settings(max_examples=60, deadline=None)
@example(seed=1606, frames=8, before=(((8,), 2.0), ((8,), 5.0)), after=(), width=5)
@given(st.integers(0, 10_000), st.integers(1, 20), PHRASES, PHRASES, st.sampled_from([5, 400]))
def test_hot_words_can_be_replaced_within_a_sentence(
    random_rows, seed, frames, before, after, width
):
    """Stable words remain; the final result has the bonuses of the new phrases."""
    plain = tree_search(Bigrams(), width=width)
    old = plain.with_hot_words(hot_words(before, 0.5))
    new = plain.with_hot_words(HotWords(after, FIRST, {FIRST: ((1, 2, 2),)}, ("ox", "zed")))
    rows, more = random_rows(seed, frames, 4, 8.0), random_rows(seed + 1, 12, 4, 8.0)
    (state,) = old.advance([old.start()], [rows])
    for decoders in ((old, new), (old, plain, new), (old, plain, old)):
        for one, other in pairwise(decoders):
            best = decoders[0].best(state)[0]
            adopted = other.adopt(state, one)
            settled = one.settled(state)
            assert other.best(adopted)[0].tokens[:settled] == best.tokens[:settled]
            assert {texts([each])[0] for each in other.best(adopted, 1000)} <= {
                text
                for each in one.best(state, 1000) + one.best(one.finish(state), 1000)
                for text in texts([each])
            }
            (state,) = other.advance([adopted], [random_rows(seed + 2, 3, 4, 8.0)])
        (last,) = decoders[-1].advance([state], [more])
        assert decoders[-1].best(decoders[-1].finish(last), 5)
        (state,) = old.advance([old.start()], [rows])


def test_adopting_the_same_hot_words_changes_nothing(random_rows):
    phrases = (((FIRST,), 6.0), ((FIRST + 1,), 5.0))
    plain, rows = tree_search(Bigrams(), histories=2), random_rows(5, 60, 4, 6.0)
    first, second = (plain.with_hot_words(hot_words(phrases)) for _ in range(2))
    (middle,) = first.advance([first.start()], [rows[:33]])
    for decoder, state in ((first, middle), (second, second.adopt(middle, first))):
        (end,) = decoder.advance([state], [rows[33:]])
        if decoder is first:
            expected = first.best(first.finish(end), 20)
        else:
            assert second.best(second.finish(end), 20) == expected


def test_words_follow_a_hot_word_that_is_removed_at_the_end_of_a_shorter_word():
    """All hypotheses are within "z", whose first phones are those of "cab"."""
    plain = tree_search(None, beam=5.0)
    own = {FIRST: ((3, 1, 2, 1),)}
    hot = plain.with_hot_words(HotWords((((FIRST,), 20.0),), FIRST, own, ("z",)))
    rows = np.log(np.full((6, 4), 1e-3, np.float32))
    rows[range(6), [3, 0, 1, 0, 2, 0]] = np.log(0.997)
    (state,) = hot.advance([hot.start()], [rows])
    assert {texts([each])[0] for each in hot.best(state, 100)} == {()}
    after = np.log(np.full((4, 4), 1e-3, np.float32))
    after[range(4), [2, 0, 3, 0]] = np.log(0.997)
    (state,) = plain.advance([plain.adopt(state, hot)], [after])
    assert texts(plain.best(plain.finish(state))) == [("z", "bc")]


def test_phrase_states_do_not_change_language_model_scores():
    """After "ab", the first word of a phrase, the sentence end is as probable as without it."""
    rows = np.log(np.full((4, 4), 1e-6, np.float32))
    rows[[0, 1, 2, 3], [1, 0, 2, 0]] = np.log(1 - 3e-6)
    model, hot = Bigrams(), HotWords((((1, 2), 6.0), ((1, 3), 6.0)), FIRST)
    decoder = tree_search(model, beam=1.0, language_weight=0.0).with_hot_words(hot)
    (state,) = decoder.advance([decoder.start()], [rows])
    assert texts(decoder.best(state)) == [("ab",)]
    assert hot.states > 1
    expected = float(np.exp(model.end(np.array([1]))[0]))
    assert decoder.end_probability(state) == pytest.approx(expected, rel=0.05)
