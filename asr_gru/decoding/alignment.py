"""Paths of connectionist temporal classification (Graves et al. 2006): collapse and alignment."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asr_gru.errors import DataError

__all__ = ["collapse", "force_align", "frames_needed"]

BLANK = 0


def frames_needed(targets: Sequence[int]) -> int:
    """Return the minimum number of frames: one per token, one more between equal tokens."""
    repeats = sum(a == b for a, b in itertools.pairwise(targets))
    return len(targets) + repeats


def collapse(path: Sequence[int]) -> list[int]:
    """Return the tokens of a frame-wise path: repeats merged, then blanks removed."""
    before = [BLANK, *path][: len(path)]
    return [now for now, was in zip(path, before, strict=True) if now not in (was, BLANK)]


def force_align(
    log_probs: npt.NDArray[np.float32], targets: Sequence[int]
) -> tuple[list[int], float]:
    """Find the most probable path that spells ``targets`` (Viterbi).

    Args:
        log_probs: ``(frames, tokens)``.
        targets: token ids without blanks.

    Returns:
        for each target the frame in which it is first emitted, and the path's log-probability.

    Raises:
        DataError: the targets do not fit into the frames.
    """
    frames = log_probs.shape[0]
    if frames_needed(targets) > frames:
        raise DataError(
            f"a text of {len(targets)} tokens does not fit into {frames} frames; shorten the text"
        )
    if frames == 0:
        return [], 0.0
    states = np.zeros(2 * len(targets) + 1, np.int64)
    states[1::2] = targets
    skip = np.zeros(len(states), bool)
    skip[2:] = (states[2:] != BLANK) & (states[2:] != states[:-2])
    score = np.full(len(states), -np.inf)
    score[:2] = log_probs[0, states[:2]]
    origin = np.zeros((frames, len(states)), np.int64)
    for t in range(1, frames):
        moves = np.full((3, len(states)), -np.inf)
        moves[0] = score
        moves[1, 1:] = score[:-1]
        moves[2, 2:] = np.where(skip[2:], score[:-2], -np.inf)
        origin[t] = moves.argmax(axis=0)
        score = moves.max(axis=0) + log_probs[t, states]
    last = len(states) - 1
    if last > 0 and score[last - 1] > score[last]:
        last -= 1
    best = float(score[last])
    first_frame = [0] * len(targets)
    for t in range(frames - 1, -1, -1):
        if last % 2:
            first_frame[last // 2] = t
        last -= int(origin[t, last])
    return first_frame, best
