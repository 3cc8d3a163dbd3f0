from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import TreeSearchParameters
from asr_gru.errors import ConfigError, Error, ModelError
from tests.decoding.words import (
    PRONUNCIATIONS,
    WORDS,
    Bigrams,
    assert_n_best,
    brute_force,
    decode,
    exact_search,
    texts,
    tree_search,
)

SIZES = st.sampled_from([1, 2, 3, 4, 5])
MODELS = st.sampled_from([None, Bigrams()])


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), SIZES, MODELS, st.floats(0, 2), st.floats(-2, 2), st.floats(-1, 2))
def test_equals_exhaustive_search(random_rows, seed, frames, model, weight, bonus, bias):
    """N-best order and scores over all alignments, pronunciations and sentences."""
    rows = random_rows(seed, frames, 4, 3.0)
    decoder = exact_search(model, language_weight=weight, word_bonus=bonus, blank_bias=bias)
    expected = brute_force(rows, model, decoder.parameters)
    found = decode(decoder, rows, 10_000)
    assert_n_best(found, expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), SIZES, MODELS)
def test_one_history_finds_the_best_sentence(random_rows, seed, frames, model):
    """Recombination never loses the best sentence."""
    rows = random_rows(seed, frames, 4, 3.0)
    decoder = exact_search(model, histories=1)
    expected = brute_force(rows, model, decoder.parameters)
    (best,) = decode(decoder, rows)
    assert best.log_prob == pytest.approx(max(expected.values()), abs=1e-5)
    assert expected[texts([best])[0]] == pytest.approx(best.log_prob, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_n_histories_give_the_n_best(random_rows, seed, n):
    """Schwartz and Chow 1990."""
    rows, model = random_rows(seed, 5, 4, 3.0), Bigrams()
    decoder = exact_search(model, histories=n)
    expected = sorted(brute_force(rows, model, decoder.parameters).values(), reverse=True)
    scores = [one.log_prob for one in decode(decoder, rows, n)]
    assert scores == pytest.approx(expected[:n], abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 60))
def test_a_beam_wide_enough_is_exact(random_rows, seed, frames):
    rows, model = random_rows(seed, frames, 4, 9.0), Bigrams()
    (exact,) = decode(exact_search(model, histories=1), rows)
    (best,) = decode(tree_search(model, beam=60.0, width=500, blank_skip=1, phone_floor=0), rows)
    assert (best.tokens, best.words, best.frames) == (exact.tokens, exact.words, exact.frames)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=1, max_size=6)),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 3),
    st.sampled_from([2, 12, 400]),
)
def test_chunking_and_batching_do_not_change_results(random_rows, streams, histories, width):
    """Results are bit-identical, and the given states are not modified."""
    decoder = tree_search(
        Bigrams(), blank_skip=0.6, width=width, histories=histories, blank_bias=0.5, beam=9.0
    )
    rows = [random_rows(seed, sum(cuts), 4, 8.0) for seed, cuts in streams]
    pieces = [np.split(r, np.cumsum(cuts[:-1])) for r, (_, cuts) in zip(rows, streams, strict=True)]
    states = [decoder.start() for _ in streams]
    for number in range(max(map(len, pieces))):
        fed = [i for i, own in enumerate(pieces) if number < len(own)]
        after = decoder.advance([states[i] for i in fed], [pieces[i][number] for i in fed])
        for i, state in zip(fed, after, strict=True):
            states[i] = state
    for own, state in zip(rows, states, strict=True):
        (alone,) = decoder.advance([decoder.start()], [own])
        assert decoder.best(state, 50) == decoder.best(alone, 50)
        assert decoder.best(decoder.finish(state), 50) == decoder.best(decoder.finish(alone), 50)
        assert decoder.settled(state) == decoder.settled(alone)


def test_states_are_not_modified(random_rows):
    decoder, rows = tree_search(Bigrams()), random_rows(4, 30, 4, 8.0)
    start = decoder.start()
    (middle,) = decoder.advance([start], [rows[:15]])
    before = decoder.best(middle, 9)
    first, second = decoder.advance([middle, middle], [rows[15:], rows[15:]])
    assert decoder.best(first, 9) == decoder.best(second, 9)
    assert decoder.best(middle, 9) == before
    assert decoder.best(start)[0].tokens == ()
    assert decoder.advance([], []) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), MODELS)
def test_frames_are_an_alignment_and_scores_add_up(random_rows, seed, frames, model):
    """Frames are an alignment; acoustic and language scores add up to the total."""
    rows = random_rows(seed, frames, 4, 5.0)
    decoder = tree_search(model, blank_skip=1, word_bonus=0.3)
    parameters = decoder.parameters
    for one in decode(decoder, rows, 20):
        assert len(one.tokens) == len(one.frames) == len(one.ends) == len(one.token_log_probs)
        spans = [(word.start, word.stop) for word in one.words]
        assert [first for first, _ in spans] == [0, *(behind for _, behind in spans)][: len(spans)]
        assert (spans[-1][1] if spans else 0) == len(one.tokens)
        spelled = [(WORDS.index(w.text), one.tokens[w.start : w.stop]) for w in one.words]
        assert set(spelled[:-1]) <= set(PRONUNCIATIONS)
        if spelled and spelled[-1] not in PRONUNCIATIONS:  # only unfinished words fit
            word, begun = spelled[-1]
            assert any(w == word and p[: len(begun)] == begun for w, p in PRONUNCIATIONS)
            continue
        for token, start, end, peak in zip(
            one.tokens, one.frames, one.ends, one.token_log_probs, strict=True
        ):
            assert peak == pytest.approx(float(rows[start:end, token].max()))
        for end, start in zip(one.ends, one.frames[1:], strict=False):
            assert end <= start
        if one.words:
            path = np.zeros(frames, int)
            for token, start, end in zip(one.tokens, one.frames, one.ends, strict=True):
                path[start:end] = token
            acoustic = (
                rows[np.arange(frames), path].sum() - parameters.blank_bias * (path == 0).sum()
            )
            assert sum(word.acoustic for word in one.words) == pytest.approx(acoustic, abs=1e-3)
            language = sum(word.language for word in one.words)
            if model:
                last = WORDS.index(one.words[-1].text)
                language += float(model.table[last, model.words])
            total = acoustic + parameters.language_weight * language + 0.3 * len(one.words)
            assert one.log_prob == pytest.approx(total, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_stable_tokens_never_change(random_rows, seed):
    rows, decoder = random_rows(seed, 40, 4, 9.0), tree_search(Bigrams(), width=12)
    state = decoder.start()
    settled: tuple[int, ...] = ()
    for row in rows:
        (state,) = decoder.advance([state], [row[None]])
        count = decoder.settled(state)
        for one in decoder.best(state, 100):
            assert one.tokens[: len(settled)] == settled
        assert count >= len(settled)
        settled = decoder.best(state)[0].tokens[:count]
        (best, *_) = decoder.best(decoder.finish(state))
        whole = sum(word.stop <= count for word in best.words)
        assert best.tokens[: len(settled)] == settled or whole == len(best.words)


def test_most_words_become_stable_before_the_end(random_rows):
    decoder = tree_search(Bigrams(), width=12)
    counts = []
    for seed in range(20):
        (state,) = decoder.advance([decoder.start()], [random_rows(seed, 40, 4, 9.0)])
        counts.append(decoder.settled(state))
    assert sum(count > 0 for count in counts) >= 15, counts


def test_the_trace_does_not_grow_with_dead_hypotheses(random_rows):
    """A long stream keeps its text and a bounded number of hypotheses."""
    decoder = tree_search(Bigrams(), width=30)
    state, sizes = decoder.start(), []
    for seed in range(40):
        (state,) = decoder.advance([state], [random_rows(seed, 100, 4, 8.0)])
        phones = len(decoder.best(state)[0].tokens)
        sizes.append(state.trace.ints.shape[1] - 2 * phones)
    assert max(sizes) < 5_000
    assert phones > 1_000


def test_a_certain_blank_separates_and_costs_its_log_probability():
    rows = np.log(np.array([[0.1, 0.88, 0.01, 0.01], [0.997, 0.001, 0.001, 0.001]] * 2, np.float32))
    for skip in (1.0, 0.98):
        decoder = tree_search(None, blank_skip=skip, blank_bias=0.0)
        best = decode(decoder, rows)[0]
        assert (best.tokens, best.frames, best.ends) == ((1, 1), (0, 2), (1, 3))
        assert best.log_prob == pytest.approx(2 * math.log(0.88 * 0.997), abs=1e-5)


@pytest.mark.parametrize(("beam", "expected"), [(20.0, ()), (2.0, ("cab",))])
def test_an_unfinished_word_is_dropped_unless_it_is_the_only_one(beam, expected):
    """Token 3 begins "cab" and the second pronunciation of "a"."""
    rows = np.log(np.array([[0.01, 0.01, 0.01, 0.97]], np.float32))
    model = Bigrams()
    model.unigram_log_probs = np.where(np.arange(7) == WORDS.index("cab"), -1.0, -2.0)
    decoder = tree_search(model, beam=beam, blank_bias=0.0, word_bonus=-5.0)
    (state,) = decoder.advance([decoder.start()], [rows])
    best = decoder.best(state)[0]
    assert (best.tokens, best.words) == ((3,), ())
    assert texts(decoder.best(decoder.finish(state)))[0] == expected


def test_each_parameter_changes_results(random_rows):
    rows, model = random_rows(11, 40, 4, 4.0), Bigrams()
    plain = decode(tree_search(model, histories=3), rows, 10)
    changed = {
        "language_weight": 0.1,
        "word_bonus": 3.0,
        "blank_bias": 0.0,
        "beam": 1.5,
        "width": 2,
        "blank_skip": 0.5,
        "phone_floor": 0.3,
        "histories": 1,
    }
    assert {*changed, "shown_share"} == {field.name for field in fields(TreeSearchParameters)}
    for name, value in changed.items():
        assert decode(tree_search(model, **{"histories": 3, name: value}), rows, 10) != plain, name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language_weight", -0.1),
        ("language_weight", math.nan),
        ("word_bonus", 21.0),
        ("blank_bias", math.inf),
        ("beam", 0.5),
        ("width", 0),
        ("blank_skip", 0.4),
        ("phone_floor", 0.6),
        ("histories", 0),
    ],
)
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} .*: give .* to "):
        TreeSearchParameters(**{name: value})


def test_mismatched_models_are_refused(random_rows):
    decoder = tree_search(Bigrams())
    with pytest.raises(ModelError, match="for a model of 4 tokens"):
        decoder.advance([decoder.start()], [random_rows(0, 3, 5)])
    with pytest.raises(Error, match="start another with start"):
        decoder.advance([decoder.finish(decoder.start())], [random_rows(0, 3, 4)])
    with pytest.raises(ModelError, match="7 words and the language model 3"):
        tree_search(Bigrams(3))
    finished = decoder.finish(decoder.start())
    assert decoder.finish(finished) is finished
    assert replace(finished, finished=False) != finished


def test_skipped_blanks_leave_the_hypotheses_unchanged(random_rows):
    """A caller can tell that nothing has changed, whatever else is in the call."""
    decoder = tree_search(Bigrams(), blank_skip=0.7)
    rows = random_rows(3, 30, 4, 8.0)
    blanks = np.log(np.array([[0.97, 0.01, 0.01, 0.01]] * 3, np.float32))
    before = decoder.advance([decoder.start()] * 2, [rows[:15], rows])
    quiet, spoken = decoder.advance(before, [blanks, rows[:3]])
    assert decoder.reads_alike(before[0], quiet)
    assert not decoder.reads_alike(before[1], spoken)
    assert quiet.frame == before[0].frame + 3
    (after,) = decoder.advance([quiet], [rows[15:]])
    (alone,) = decoder.advance([decoder.start()], [np.concatenate((rows[:15], blanks, rows[15:]))])
    assert decoder.best(after, 50) == decoder.best(alone, 50)
