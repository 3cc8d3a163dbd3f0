"""One call of the acoustic model for many streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from asr_gru.streaming.stream import advance_streams

if TYPE_CHECKING:
    from asr_gru.model.acoustic import AcousticModel
    from asr_gru.results import Event
    from asr_gru.streaming.stream import Stream

__all__ = ["step_streams"]


def step_streams(
    acoustic: AcousticModel, streams: Sequence[Stream], steps: int
) -> list[list[Event]]:
    """Take ``steps`` live steps in every stream for as long as all of one's steps are there.

    The model is called once for all streams that have as much audio, then once for those that
    have as much left, and so on.

    Args:
        acoustic: the model of all streams; it streams.
        streams: each at a place of its own.
        steps: live steps a call.

    Returns:
        the events of each stream, in their order.
    """
    count = steps * acoustic.info.step_samples
    events: list[list[Event]] = [[] for _ in streams]
    ready = [i for i, stream in enumerate(streams) if stream.waiting >= count]
    while ready:
        samples = np.stack([streams[i].take(count) for i in ready])
        states = zip(*(streams[i].state for i in ready), strict=True)
        log_probs, state = acoustic.step(samples, tuple(map(np.concatenate, states)))
        own = [tuple(array[row : row + 1] for array in state) for row in range(len(ready))]
        advanced = advance_streams([streams[i] for i in ready], list(log_probs), own)
        for i, new in zip(ready, advanced, strict=True):
            events[i] += new
        ready = [i for i in ready if streams[i].waiting >= count]
    return events
