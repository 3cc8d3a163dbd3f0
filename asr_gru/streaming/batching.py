"""Calls of the acoustic model for many streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from asr_gru.streaming.engine import StreamEngine, advance_engines

if TYPE_CHECKING:
    from asr_gru.model.acoustic import AcousticModel, Array, State
    from asr_gru.results import Event

__all__ = ["step_engines"]

MAX_STEPS = 256
"""Steps of all streams in one call of the model; with many more, its arrays exceed the caches."""


def step_engines(
    acoustic: AcousticModel, engines: Sequence[StreamEngine], sizes: Sequence[int]
) -> list[list[Event]]:
    """Advance each stream that has enough audio buffered; repeat until none has.

    For each of ``sizes`` in turn, streams with that many steps buffered share calls of the model.
    Falling sizes, such as 8, 4, 2, 1, clear a backlog in few calls and leave less than the last
    size in each buffer.

    Args:
        acoustic: the streaming model shared by all streams.
        engines: distinct streams.
        sizes: steps (``info.step_samples``) per call.

    Returns:
        the events of each stream, in order.
    """
    events: list[list[Event]] = [[] for _ in engines]
    for size in sizes:
        count = size * acoustic.info.step_samples
        ready = [i for i, engine in enumerate(engines) if engine.buffered >= count]
        while ready:
            batch = [engines[i] for i in ready]
            for i, found in zip(ready, _step(acoustic, batch, count), strict=True):
                events[i] += found
            ready = [i for i in ready if engines[i].buffered >= count]
    return events


def _step(
    acoustic: AcousticModel, engines: Sequence[StreamEngine], count: int
) -> list[list[Event]]:
    """Take ``count`` samples of each stream through the model, many at a time."""
    if len(engines) == 1:
        log_probs, state = acoustic.step(engines[0].take(count)[None], engines[0].state)
        return [engines[0].advance(log_probs[0], state)]
    rows: list[Array] = []
    states: list[State] = []
    size = max(1, MAX_STEPS * acoustic.info.step_samples // count)
    for first in range(0, len(engines), size):
        some = engines[first : first + size]
        samples = np.stack([engine.take(count) for engine in some])
        before = zip(*(engine.state for engine in some), strict=True)
        log_probs, state = acoustic.step(samples, tuple(map(np.concatenate, before)))
        rows += list(log_probs)
        states += [tuple(array[row : row + 1] for array in state) for row in range(len(some))]
    return advance_engines(engines, rows, states)
