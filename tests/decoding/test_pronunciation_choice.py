"""The choice of pronunciations against an exhaustive search."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.decoding.alignment import collapse, force_align
from asr_gru.decoding.pronunciation_choice import align_words
from asr_gru.errors import DataError

TOKEN = st.integers(1, 3)
WORD = st.lists(
    st.lists(TOKEN, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3, unique=True
)


def log_probs(frames: int, seed: int, tokens: int = 4) -> np.ndarray:
    scores = np.random.default_rng(seed).standard_normal((frames, tokens)) * 2
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


@given(st.lists(WORD, min_size=1, max_size=3), st.integers(18, 22), st.integers(0, 1000))
def test_the_chosen_pronunciations_are_the_likeliest(words, frames, seed):
    scores = log_probs(frames, seed)
    found = align_words(scores, words)
    best = max(
        force_align(scores, [token for way in ways for token in way])[1]
        for ways in itertools.product(*words)
    )
    assert found.log_prob == pytest.approx(best, abs=1e-4)
    chosen = [way[choice] for way, choice in zip(words, found.chosen, strict=True)]
    assert found.tokens == [token for way in chosen for token in way]
    assert found.frames == sorted(set(found.frames))
    assert len(found.frames) == len(found.tokens)


def test_the_spoken_pronunciation_is_chosen():
    path = [0, 1, 1, 0, 3, 3, 0, 2, 2, 0]
    scores = np.full((len(path), 4), -8.0, np.float32)
    scores[np.arange(len(path)), path] = -0.01
    found = align_words(scores, [[(2, 3), (1, 3)], [(2,), (1,)]])
    assert (found.chosen, found.tokens, found.frames) == ([1, 0], [1, 3, 2], [1, 4, 7])
    assert collapse(path) == found.tokens


def test_without_words_all_frames_are_blank():
    scores = log_probs(5, 0)
    found = align_words(scores, [])
    assert not found.tokens
    assert found.log_prob == pytest.approx(float(scores[:, 0].sum()))


def test_only_pronunciations_that_fit_into_the_frames_are_chosen():
    assert align_words(log_probs(3, 1), [[(1, 1, 1), (2, 2)]]).chosen == [1]
    with pytest.raises(DataError, match="does not fit into 2 frames"):
        align_words(log_probs(2, 1), [[(1, 1, 1), (2, 2)]])


@given(
    st.lists(WORD, min_size=1, max_size=3),
    st.integers(1, 9),
    st.integers(0, 1000),
    st.floats(0.5, 6.0),
)
def test_omitting_optional_words_gives_the_best_score(words, frames, seed, cost):
    scores = log_probs(frames, seed)
    between = np.maximum(scores[:, 0], scores.max(axis=1) - np.float32(1.0))
    costs = [cost * (1 + number) for number in range(len(words))]
    found = align_words(scores, words, between=between, skip_costs=costs)
    best = -np.inf
    for kept in itertools.product([False, True], repeat=len(words)):
        own = [word for word, keep in zip(words, kept, strict=True) if keep]
        paid = sum(one for one, keep in zip(costs, kept, strict=True) if not keep)
        for ways in itertools.product(*own):
            best = max(best, best_path(scores, between, ways, kept) - paid)
    assert found.log_prob == pytest.approx(best, abs=1e-4)
    chosen = [word[way] for word, way in zip(words, found.chosen, strict=True) if way >= 0]
    assert found.tokens == [token for way in chosen for token in way]
    assert all(first < end for first, end in zip(found.frames, found.ends, strict=True))


def best_path(scores, between, ways, kept):
    """Return the score of the best path over states (word, position); skips need a pause."""
    states = {("pause", 0): between[0]}
    if kept[:1] == (True,):
        states["token", 0, 0] = scores[0, ways[0][0]]
    after = np.flatnonzero(kept).tolist()
    for frame, pause in zip(scores[1:], between[1:], strict=True):
        following = {}

        def reach(state, score, following=following):
            following[state] = max(following.get(state, -np.inf), score)

        for state, score in states.items():
            if state[0] == "pause":
                reach(state, score + pause)
                if state[1] < len(ways):
                    reach(("token", state[1], 0), score + frame[ways[state[1]][0]])
                continue
            kind, word, place = state[0], state[1], state[-1]
            way = ways[word]
            if kind == "blank":
                reach(state, score + frame[0])
                reach(("token", word, place + 1), score + frame[way[place + 1]])
                continue
            reach(state, score + frame[way[place]])
            if place + 1 < len(way):
                reach(("blank", word, place), score + frame[0])
                if way[place + 1] != way[place]:
                    reach(("token", word, place + 1), score + frame[way[place + 1]])
                continue
            reach(("pause", word + 1), score + pause)
            adjoining = word + 1 < len(ways) and after[word + 1] == after[word] + 1
            if adjoining and ways[word + 1][0] != way[-1]:
                reach(("token", word + 1, 0), score + frame[ways[word + 1][0]])
        states = following
    ends = [("pause", len(ways))]
    if ways and kept[-1]:
        ends.append(("token", len(ways) - 1, len(ways[-1]) - 1))
    return max(states.get(state, -np.inf) for state in ends)


@given(st.integers(0, 200))
def test_a_band_of_all_states_changes_nothing(seed):
    scores = log_probs(40, seed)
    words = [[(1, 2), (3,)], [(2, 3)], [(1,), (3, 1)], [(2,)]]
    whole = align_words(scores, words, skip_costs=[3.0] * 4)
    assert align_words(scores, words, skip_costs=[3.0] * 4, band=1000) == whole
    banded = align_words(scores, words, skip_costs=[3.0] * 4, band=8)
    assert banded.log_prob <= whole.log_prob + 1e-9


@given(st.lists(TOKEN, min_size=1, max_size=6), st.integers(12, 20), st.integers(0, 1000))
def test_alignment_of_one_pronunciation_agrees_with_torchaudio(tokens, frames, seed):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchaudio.functional")
    scores = log_probs(frames, seed)
    found = align_words(scores, [[tuple(tokens)]])
    path, score = functional.forced_align(
        torch.from_numpy(scores)[None], torch.tensor([tokens]), blank=0
    )
    assert found.log_prob == pytest.approx(float(score.sum()), abs=1e-3)
    path = path[0].tolist()
    begins = [t for t, token in enumerate(path) if token and (t == 0 or path[t - 1] != token)]
    assert found.frames == begins
