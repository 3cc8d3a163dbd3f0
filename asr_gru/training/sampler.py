"""Which utterances make a batch, in which order: a pure function of seed and pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["NOISE", "plan_pass"]

NOISE = -1
"""Stands for an utterance of noise alone."""

POOL_BATCHES = 40
NOISE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class _Entry:
    index: int
    duration_s: float


def plan_pass(
    durations_s: npt.NDArray[np.float64],
    weights: Sequence[float],
    *,
    batch_s: float,
    processes: int,
    noise_only: float,
    seed: int,
    number: int,
    ascending: bool,
) -> list[list[list[int]]]:
    """Plan pass ``number``: a list of steps, each with one batch of indices for every process.

    The batches of one step have recordings of like lengths, so that no process waits for another.

    Args:
        durations_s: length of each utterance.
        weights: how often each is seen a pass; fractions are drawn.
        batch_s: seconds a batch with its padding.
        processes: batches a step.
        noise_only: share of utterances of noise alone (``NOISE`` in the result).
        seed: of the run.
        number: of the pass, from 0.
        ascending: short utterances first.
    """
    random = np.random.default_rng((seed, number))
    wanted = np.asarray(weights, np.float64)
    times = np.floor(wanted + random.random(len(wanted))).astype(np.int64)
    entries = [
        _Entry(int(index), float(durations_s[index]))
        for index in np.repeat(np.arange(len(wanted)), times)
    ]
    entries += [_Entry(NOISE, NOISE_SECONDS)] * round(noise_only * len(entries))
    if not entries:
        return []
    order = random.permutation(len(entries))
    entries = [entries[i] for i in order]
    if ascending:
        pools = [sorted(entries, key=lambda entry: entry.duration_s)]
    else:
        average = float(np.mean([entry.duration_s for entry in entries]))
        size = max(1, round(POOL_BATCHES * processes * batch_s / average))
        pools = [
            sorted(entries[first : first + size], key=lambda entry: entry.duration_s)
            for first in range(0, len(entries), size)
        ]
    steps: list[list[list[int]]] = []
    for pool in pools:
        batches = _cut(pool, batch_s)
        batches += [batches[-1]] * (-len(batches) % processes)
        groups = [batches[i : i + processes] for i in range(0, len(batches), processes)]
        steps.extend(groups)
    if not ascending:
        steps = [steps[i] for i in random.permutation(len(steps))]
    return steps


def _cut(entries: Sequence[_Entry], batch_s: float) -> list[list[int]]:
    batches: list[list[int]] = []
    current: list[int] = []
    for entry in entries:
        if current and (len(current) + 1) * entry.duration_s > batch_s:
            batches.append(current)
            current = []
        current.append(entry.index)
    batches.append(current)
    return batches
