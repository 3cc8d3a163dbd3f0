from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding.alignment import collapse, force_align, frames_needed
from asr_gru.errors import DataError
from asr_gru.nn.ctc import ctc_loss

TARGETS = st.lists(st.integers(1, 2), max_size=3)


def random_log_probs(frames: int, tokens: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    raw = 2.0 * random.standard_normal((frames, tokens))
    return np.asarray(raw - np.log(np.exp(raw).sum(axis=1, keepdims=True)), np.float32)


def paths_of(target: list[int], log_probs: np.ndarray) -> list[tuple[float, tuple[int, ...]]]:
    """Yield every frame-wise path that collapses to ``target``, with its log-probability."""
    frames, tokens = log_probs.shape
    return [
        (float(sum(log_probs[t, token] for t, token in enumerate(path))), path)
        for path in itertools.product(range(tokens), repeat=frames)
        if collapse(path) == target
    ]


def test_collapse_merges_repeats_and_removes_blanks():
    assert collapse([]) == []
    assert collapse([0, 0]) == []
    assert collapse([1, 1, 0, 1, 2, 2, 0, 0, 3]) == [1, 1, 2, 3]
    assert collapse([3, 3, 3]) == [3]


@given(target=TARGETS)
def test_frames_needed_is_the_length_of_the_shortest_path(target):
    needed = frames_needed(target)
    shortest = next(
        frames
        for frames in range(8)
        if any(collapse(p) == target for p in itertools.product(range(3), repeat=frames))
    )
    assert needed == shortest


@settings(max_examples=25, deadline=None)
@given(target=TARGETS, frames=st.integers(1, 6), seed=st.integers(0, 99))
def test_loss_equals_the_sum_over_all_paths(target, frames, seed):
    if frames_needed(target) > frames:
        return
    log_probs = random_log_probs(frames, 3, seed)
    total = sum(math.exp(score) for score, _ in paths_of(target, log_probs))
    loss = ctc_loss(
        torch.from_numpy(log_probs)[None],
        torch.tensor(target, dtype=torch.long),
        torch.tensor([frames]),
        torch.tensor([len(target)]),
    )
    assert loss.item() == pytest.approx(-math.log(total), abs=1e-4)


def test_the_loss_of_a_batch_respects_lengths():
    log_probs = np.stack([random_log_probs(6, 3, seed) for seed in range(3)])
    targets, frames = [[1, 2], [], [2, 2, 1]], [4, 6, 5]
    losses = ctc_loss(
        torch.from_numpy(log_probs),
        torch.tensor([t for target in targets for t in target]),
        torch.tensor(frames),
        torch.tensor([len(target) for target in targets]),
    )
    for row, target in enumerate(targets):
        paths = paths_of(target, log_probs[row, : frames[row]])
        assert losses[row].item() == pytest.approx(
            -math.log(sum(math.exp(score) for score, _ in paths)), abs=1e-4
        )


@settings(max_examples=25, deadline=None)
@given(target=TARGETS, frames=st.integers(1, 6), seed=st.integers(0, 99))
def test_alignment_is_the_likeliest_of_all_paths(target, frames, seed):
    log_probs = random_log_probs(frames, 3, seed)
    if frames_needed(target) > frames:
        with pytest.raises(DataError, match="does not fit"):
            force_align(log_probs, target)
        return
    best, path = max(paths_of(target, log_probs))
    found, score = force_align(log_probs, target)
    assert score == pytest.approx(best, abs=1e-5)
    assert found == first_frames(path)


def first_frames(path) -> list[int]:
    before = (0, *path)[: len(path)]
    return [t for t, (now, was) in enumerate(zip(path, before, strict=True)) if now not in (was, 0)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(5))
def test_alignment_agrees_with_torchaudio(seed):
    random = np.random.default_rng(seed)
    log_probs = random_log_probs(80, 30, seed)
    target = random.integers(1, 30, 25).tolist()
    path, scores = torchaudio.functional.forced_align(
        torch.from_numpy(log_probs)[None], torch.tensor([target], dtype=torch.int32)
    )
    found, score = force_align(log_probs, target)
    assert found == first_frames(path[0].tolist())
    assert score == pytest.approx(float(scores.sum()), abs=1e-3)


def test_an_empty_target_is_aligned_with_blanks():
    assert force_align(np.zeros((0, 3), np.float32), []) == ([], 0.0)
    found, score = force_align(random_log_probs(4, 3, 0), [])
    assert found == []
    assert score == pytest.approx(float(random_log_probs(4, 3, 0)[:, 0].sum()), abs=1e-5)
