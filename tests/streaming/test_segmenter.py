from __future__ import annotations

import itertools
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import BeamDecoder, GreedyDecoder, WordTimes
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.segmenter import Segmenter
from asr_gru.text import CharacterTokenizer, PhoneTokenizer, PieceTokenizer
from tests.decoding.words import WORDS, Bigrams, tree_search

CHARACTERS = CharacterTokenizer(" abcd")
PIECES = PieceTokenizer(["▁", "▁a", "▁b", "c", "d"])
LONGEST = EndpointRules(trailing_s=0.8, longest_s=3.0, leading_s=1.0, pause_s=0.12)


def rows_of(path, sure=0.995):
    rows = np.full((len(path), 6), (1 - sure) / 5, np.float32)
    rows[np.arange(len(path)), path] = sure
    return np.log(rows)


def random_path(seed, frames, pause):
    """Return words of up to five tokens, each of one to three frames, with blanks between them."""
    rng, path = random.Random(seed), []
    while len(path) < frames:
        for _ in range(rng.randint(1, 4)):
            path += [rng.randint(1, 5)] * rng.randint(1, 3) + [0] * rng.choice([0, 1, 1, 2, pause])
        path += [1, *[0] * rng.choice([0, 1, pause])]
    return path[:frames]


def segments_of(rows, rules, tokens=CHARACTERS, decoder=None, cuts=()):
    segmenter = Segmenter(decoder or GreedyDecoder(), tokens, WordTimes(0.04), rules)
    found = []
    for piece in np.split(rows, sorted(cuts)):
        found += segmenter.advance(piece)
    return found + segmenter.finish(len(rows) * 0.04)


def text_of(segments):
    return " ".join(segment.text for segment in segments)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 400), st.sampled_from([CHARACTERS, PIECES]))
def test_cuts_at_the_maximum_length_lose_and_repeat_nothing(seed, frames, tokens):
    rows = rows_of(random_path(seed, frames, 8))
    cut, whole = (segments_of(rows, rules, tokens) for rules in (LONGEST, EndpointRules.off()))
    assert text_of(cut) == text_of(whole)
    pairs = zip((w for s in cut for w in s.words), (w for s in whole for w in s.words), strict=True)
    at_splits = [segment.words[-1] for segment in cut]
    for word, uncut in pairs:
        if word in at_splits:  # no word spans the split
            assert word.start_s <= word.end_s <= uncut.end_s
            uncut = replace(uncut, end_s=word.end_s)
        assert word == uncut
    assert all(one.end_s <= two.start_s for one, two in itertools.pairwise(cut))
    assert frames < 200 or len(cut) > 1
    assert all(segment.end_s - segment.start_s <= 3.0 + 1e-9 for segment in cut)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([CHARACTERS, PIECES]))
def test_cuts_at_the_maximum_length_work_with_a_beam(seed, tokens):
    rows = rows_of(random_path(seed, 300, 6))
    cut, whole = (
        segments_of(rows, rules, tokens, BeamDecoder(4)) for rules in (LONGEST, EndpointRules.off())
    )
    assert text_of(cut) == text_of(whole)
    assert len(cut) > 1


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(0, 300), max_size=12),
    st.sampled_from([GreedyDecoder(), BeamDecoder(4)]),
    st.floats(0.3, 0.99),
)
def test_chunking_does_not_change_segments(seed, cuts, decoder, sure):
    """Segments, times and confidences are bit-identical."""
    rows = rows_of(random_path(seed, 300, 25), sure)
    whole = segments_of(rows, LONGEST, decoder=decoder)
    assert segments_of(rows, LONGEST, decoder=decoder, cuts=cuts) == whole


def test_a_word_at_the_maximum_length_moves_to_the_next_segment():
    rows = rows_of(([*[2, 0, 3, 0] * 7, 1, 0] * 3)[:-2])
    first, second = segments_of(rows, LONGEST)
    assert (first.text, second.text) == ("ab" * 7 + " " + "ab" * 7, "ab" * 7)
    assert first.end_s <= second.start_s


def test_an_endless_word_is_cut_and_rows_do_not_accumulate():
    segmenter = Segmenter(GreedyDecoder(), CHARACTERS, WordTimes(0.04), LONGEST)
    found = segmenter.advance(rows_of([2, 3] * 2000))
    assert sum(map(len, segmenter._kept)) <= 4000
    for _ in range(50):
        found += segmenter.advance(rows_of([2, 3] * 10))
        assert sum(map(len, segmenter._kept)) <= 120
    found += segmenter.finish(1e9)
    assert "".join(segment.text for segment in found) == "ab" * 2500


def test_an_endless_token_is_cut():
    assert [s.text for s in segments_of(rows_of([2] * 200), LONGEST)] == ["a"] * 3


def test_silence_has_no_segments_and_restarts_the_decoder():
    segmenter = Segmenter(GreedyDecoder(), CHARACTERS, WordTimes(0.04), LONGEST)
    assert segmenter.advance(rows_of([0] * 1000)) == []
    assert segmenter.open_segment() is None
    assert segmenter._first_frame == 1000
    assert segmenter.finish(40.0) == []


def test_a_single_space_is_not_a_segment():
    assert segments_of(rows_of([0, 1, 0, 1] + [0] * 60), LONGEST) == []


def test_a_word_found_only_by_the_beam_is_finished():
    """Each frame of the word is more likely blank, so only the beam search finds it."""
    rows = np.log(
        np.array([[0.55, 0.01, 0.41, 0.01, 0.01, 0.01]] * 3 + [[0.995] + [0.001] * 5] * 40)
    ).astype(np.float32)
    segmenter = Segmenter(BeamDecoder(8), CHARACTERS, WordTimes(0.04), LONGEST)
    assert [s.text for s in segmenter.advance(rows)] == ["a"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.25, 0.9))
def test_an_open_segment_ends_with_its_stable_text(seed, sure):
    """With uncertain rows, where the best hypothesis changes, no shown segment ends up empty."""
    rng = np.random.default_rng(seed)
    rows = np.log(np.exp(rows_of(random_path(seed, 150, 25), sure)) + rng.random((150, 6)) * 0.2)
    rows = (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)).astype(np.float32)
    segmenter = Segmenter(BeamDecoder(3), CHARACTERS, WordTimes(0.04), LONGEST)
    stable: dict[int, str] = {}
    finals = []
    for row in rows:
        finals += segmenter.advance(row[None])
        if spoken := segmenter.open_segment():
            assert spoken.text
            assert spoken.text.startswith(spoken.stable)
            assert spoken.stable.startswith(stable.get(spoken.id, ""))
            stable[spoken.id] = spoken.stable
    finals += segmenter.finish(6.0)
    assert [segment.id for segment in finals] == list(range(len(finals)))
    texts = {segment.id: segment.text for segment in finals}
    assert all(texts[number] and texts[number].startswith(text) for number, text in stable.items())


@pytest.mark.parametrize(("path", "stable"), [([2, 1], "a"), ([2, 3], ""), ([2, 1, 3], "a")])
def test_the_stable_text_ends_before_the_growing_word(path, stable):
    segmenter = Segmenter(GreedyDecoder(), CHARACTERS, WordTimes(0.04), LONGEST)
    segmenter.advance(rows_of(path))
    spoken = segmenter.open_segment()
    assert spoken is not None
    assert spoken.stable == stable


def test_a_pause_within_a_word_does_not_end_a_segment():
    """After four fifths of the maximum length, a pause between letters of a word is ignored."""
    path = [2, 1, *[3, 0, 0] * 21, *[0] * 3, 4, 0, 1, 5]
    assert [s.text for s in segments_of(rows_of(path), LONGEST)] == ["a " + "b" * 21 + "c d"]


def test_no_segment_opens_while_a_hypothesis_has_no_words():
    rows = np.log(np.array([[0.3, 0.02, 0.62, 0.02, 0.02, 0.02]], np.float32))
    segmenter = Segmenter(BeamDecoder(8), CHARACTERS, WordTimes(0.04), LONGEST)
    segmenter.advance(rows)
    assert segmenter.open_segment() is None
    segmenter.advance(rows_of([0, 3, 0, 4, 0, 2], 0.9999))
    assert segmenter.open_segment() is not None


def test_unchanged_words_are_not_sent_again():
    segmenter = Segmenter(GreedyDecoder(), CHARACTERS, WordTimes(0.04), LONGEST)
    segmenter.advance(rows_of([2, 0, 1]))
    spoken = segmenter.open_segment()
    assert spoken is not None
    assert (spoken.text, spoken.stable) == ("a", "a")
    assert segmenter.open_segment((spoken.text, spoken.stable)) is None
    assert segmenter.open_segment(("a", "")) == spoken
    segmenter.advance(rows_of([0, 3]))
    grown = segmenter.open_segment(("a", "a"))
    assert grown is not None
    assert (grown.text, grown.stable) == ("a b", "a")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5]), st.integers(1, 4))
def test_caching_between_partials_changes_no_results(seed, share, step):
    """A pickled segmenter has no cache and recomputes everything."""
    decoder = tree_search(Bigrams(), shown_share=share)
    letters, times = PhoneTokenizer(["A", "B", "C"]), WordTimes(0.04)
    segmenter = Segmenter(decoder, letters, times, LONGEST)
    known, shown = ("", ""), 0
    rows = np.log(np.random.default_rng(seed).dirichlet([0.2] * 4, 60) + 1e-9).astype(np.float32)
    for piece in np.split(rows, range(step, 60, step)):
        if segmenter.advance(piece):
            known = "", ""
        fresh = pickle.loads(pickle.dumps(segmenter))  # noqa: S301
        fresh.attach(decoder, letters, times)
        spoken = segmenter.open_segment(known)
        assert spoken == fresh.open_segment(known)
        if spoken is not None:
            known, shown = (spoken.text, spoken.stable), shown + 1
        if segmenter.reads_alike(known):
            assert fresh.open_segment(known) is None
    assert shown


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.6, 1.0]), st.integers(1, 5))
def test_stable_words_never_change_and_partials_leave_segments_alone(seed, share, step):
    tokens, times = PhoneTokenizer(["A", "B", "C"]), WordTimes(0.04)
    rows = np.log(np.random.default_rng(seed).dirichlet([0.2] * 4, 60) + 1e-9).astype(np.float32)
    decoder = tree_search(Bigrams(), shown_share=share, width=12)
    segmenter = Segmenter(decoder, tokens, times, EndpointRules.off())
    stable: list[str] = []
    for piece in np.split(rows, range(step, 60, step)):
        segmenter.advance(piece)
        spoken = segmenter.open_segment()
        if spoken is not None:
            now = spoken.stable.split()
            assert spoken.text.split()[: len(now)] == now
            assert now[: len(stable)] == stable
            stable = now
    finals = segmenter.finish(2.4)
    assert text_of(finals).split()[: len(stable)] == stable
    plain = tree_search(Bigrams(), shown_share=0.5, width=12)
    assert finals == segments_of(rows, EndpointRules.off(), tokens, plain)


class EndModel(Bigrams):
    """A language model in which a sentence can end after one word only."""

    def __init__(self, last: str) -> None:
        super().__init__()
        self.last = WORDS.index(last)

    def end(self, states: np.ndarray) -> np.ndarray:
        return np.where(states == self.last, -0.1, -20.0).astype(np.float32)


@pytest.mark.parametrize(("last", "silence"), [("b", 10), ("bc", 20)])
def test_an_incomplete_sentence_needs_more_silence(last, silence):
    rules = EndpointRules(trailing_s=0.4, incomplete_s=0.8)
    tokens = PhoneTokenizer(["AA", "B", "K"])
    decoder = tree_search(EndModel(last), language_weight=0.1)
    rows = np.full((31, 4), 0.001, np.float32)
    rows[:, 0] = 0.997
    rows[0] = 0.001, 0.001, 0.997, 0.001
    rows = np.log(rows)
    at = []
    for rule in (rules, replace(rules, incomplete_s=None)):
        segmenter = Segmenter(decoder, tokens, WordTimes(0.04), rule)
        ends = [number for number, row in enumerate(rows) if segmenter.advance(row[None])]
        at += ends
    assert at == [silence, 10]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 200), max_size=8))
def test_chunking_does_not_change_the_wait(seed, cuts):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(200, 4)) * 5
    scores[:, 0] += np.repeat(random.choice([-4.0, 8.0], 20), 10)
    rows = (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)
    rules = EndpointRules(trailing_s=0.2, incomplete_s=0.6, longest_s=4.0)
    decoder, tokens = tree_search(Bigrams()), PhoneTokenizer(["AA", "B", "K"])
    assert segments_of(rows, rules, tokens, decoder, cuts) == segments_of(
        rows, rules, tokens, decoder
    )
