"""Batch sampler: which utterances form a batch, and in which order, given seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["NOISE", "NOISE_SECONDS", "plan_epoch", "split_batches"]

NOISE = -1
"""Index that stands for an utterance of noise alone."""

POOL_BATCHES = 40
"""Utterances are sorted by length within pools of about this many batches per process."""

NOISE_SECONDS = (1.5, 4.0)
"""Shortest and longest utterance of noise alone."""


def plan_epoch(
    durations_s: npt.NDArray[np.float64],
    weights: Sequence[float] | npt.NDArray[np.float64],
    *,
    batch_s: float,
    processes: int,
    noise_only: float,
    seed: int,
    epoch: int,
    ascending: bool,
) -> list[list[list[int]]]:
    """Return the steps of an epoch, each with one batch of utterance indices per process.

    The batches of a step hold recordings of similar length, so that no process waits for another.

    Args:
        durations_s: length of each utterance.
        weights: how often each is seen per epoch; the fractional part is a probability.
        batch_s: seconds of audio per batch, padding included.
        processes: batches per step.
        noise_only: utterances of noise alone (``NOISE`` in the result) per other utterance.
        seed: seed of the run.
        epoch: epoch, from 0.
        ascending: short utterances first.
    """
    random = np.random.default_rng((seed, epoch))
    expected = np.asarray(weights, np.float64)
    repeats = np.floor(expected + random.random(len(expected))).astype(np.int64)
    entries = np.repeat(np.arange(len(expected)), repeats)
    entries = np.append(entries, np.full(round(noise_only * len(entries)), NOISE))
    if not len(entries):
        return []
    lengths_s = np.append(durations_s, NOISE_SECONDS[1])  # the last one is that of NOISE, -1
    duration_s = lengths_s.tolist().__getitem__

    entries = entries[random.permutation(len(entries))]
    if ascending:
        size = len(entries)
    else:
        mean_s = float(np.mean(lengths_s[entries]))
        size = max(1, round(POOL_BATCHES * processes * batch_s / mean_s))
    steps: list[list[list[int]]] = []
    for first in range(0, len(entries), size):
        pool = entries[first : first + size]
        pool = pool[np.argsort(lengths_s[pool], kind="stable")]
        batches = split_batches(pool.tolist(), duration_s, batch_s)
        batches += [batches[-1]] * (-len(batches) % processes)
        groups = [batches[i : i + processes] for i in range(0, len(batches), processes)]
        steps.extend(groups)
    if not ascending:
        steps = [steps[i] for i in random.permutation(len(steps))]
    return steps


def split_batches(
    order: Iterable[int], duration_s: Callable[[int], float], batch_s: float
) -> list[list[int]]:
    """Split ``order`` into batches of at most ``batch_s`` seconds once padded.

    Args:
        order: indices, by increasing duration.
        duration_s: returns the duration of an index in seconds.
        batch_s: seconds of audio per batch, padding included; a longer utterance stands alone.
    """
    batches: list[list[int]] = []
    for index in order:
        if not batches or (len(batches[-1]) + 1) * duration_s(index) > batch_s:
            batches.append([])
        batches[-1].append(index)
    return batches
