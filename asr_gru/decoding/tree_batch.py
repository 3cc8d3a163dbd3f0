"""Batches of tree search states, with the hypotheses of all streams in the same arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.frame_search import Blanks, StreamBatch
from asr_gru.decoding.tree_network import Network
from asr_gru.decoding.tree_paths import on_paths
from asr_gru.decoding.tree_state import (
    ACOUSTIC,
    LAST,
    PARENT,
    SCORE,
    TRACE,
    Floats,
    Hypotheses,
    Ints,
    Trace,
    TreeState,
)
from asr_gru.decoding.tree_step import step

__all__ = ["TreeBatch"]


class TreeBatch(StreamBatch[TreeState]):
    """The streams of one call of ``TreeSearch``.

    Args:
        net: the search network.
        states: of all streams, in descending order of frames.
    """

    def __init__(self, net: Network, states: Sequence[TreeState]) -> None:
        self._net, self._states = net, states
        sizes = [state.trace.ints.shape[1] for state in states]
        offsets = np.cumsum([0, *sizes])
        counts = [state.hypotheses.ints.shape[1] for state in states]
        self._stream = np.arange(len(states)).repeat(counts)
        ints, floats = _joined([state.hypotheses for state in states])
        trace = Trace(*_joined([state.trace for state in states]))
        owner = np.arange(len(states)).repeat(sizes)
        if len(states) > 1:
            ints[TRACE] += np.where(ints[TRACE] < 0, 0, offsets.take(self._stream))
            parent = trace.ints[PARENT]
            parent += np.where(parent < 0, 0, offsets.take(owner))
        self._hypotheses = Hypotheses(ints, floats)
        self._next_entry = int(offsets[-1])
        self._entries, self._owners = [trace], [owner]
        self._active = len(states)
        self._done: list[tuple[Hypotheses, Ints]] = []

    def keep(self, count: int) -> None:
        """Continue with the first ``count`` streams; the others are finished."""
        if count == self._active:
            return
        ints, floats = self._hypotheses
        for done in (True, False):
            (own,) = ((self._stream >= count) == done).nonzero()
            part = Hypotheses(ints.take(own, axis=1), floats.take(own, axis=1))
            stream = self._stream.take(own)
            if done:
                self._done.append((part, stream))
        self._hypotheses, self._stream, self._active = part, stream, count

    def add_blanks(self, blanks: Sequence[Blanks]) -> None:
        """Append the skipped frames to the hypotheses of their streams."""
        ints, floats = self._hypotheses
        if len(blanks) == 1:
            ((score, any_blank),) = blanks
            if any_blank:
                floats[SCORE] += score
                floats[ACOUSTIC] += score
                ints[LAST] = 0
        elif any(any_blank for _, any_blank in blanks):
            scores = np.array([score for score, _ in blanks]).take(self._stream)
            floats[SCORE] += scores
            floats[ACOUSTIC] += scores
            ints[LAST] *= np.array([not any_blank for _, any_blank in blanks]).take(self._stream)

    def step(self, rows: Floats, frames: Ints) -> None:
        """Search one frame of each stream."""
        self._hypotheses, self._stream, entries, owner = step(
            self._net, self._hypotheses, self._stream, rows, frames, self._next_entry
        )
        self._entries.append(entries)
        self._owners.append(owner)
        self._next_entry += len(owner)

    def advanced(self, frames: Sequence[int], blanks: Sequence[Blanks]) -> list[TreeState]:
        """Return the states of all streams, without trace entries that no hypothesis refers to."""
        streams = np.arange(len(self._states) + 1)
        parts = [part for part, _ in self._done] + [self._hypotheses]
        stream = np.concatenate([*(stream for _, stream in self._done), self._stream])
        hypotheses, trace = Hypotheses(*_joined(parts)), Trace(*_joined(self._entries))
        owner = np.concatenate(self._owners)
        (kept,) = on_paths(np.append(trace.ints[PARENT], -1), hypotheses.ints[TRACE]).nonzero()
        if len(self._states) > 1:
            kept = kept.take(owner.take(kept).argsort(kind="stable"))
            order = stream.argsort(kind="stable")
            hypotheses, stream = Hypotheses(*_columns(hypotheses, order)), stream.take(order)
        number = np.full(len(owner) + 1, -1)
        number[kept] = np.arange(len(kept))
        trace, owner = Trace(*_columns(trace, kept)), owner.take(kept)
        for pointers in (trace.ints[PARENT], hypotheses.ints[TRACE]):
            pointers[:] = number.take(pointers)
        first, begins = owner.searchsorted(streams), stream.searchsorted(streams)
        settled = _settled(trace.ints[PARENT], owner, hypotheses.ints[TRACE], stream, first)
        trace.ints[PARENT] = np.maximum(trace.ints[PARENT] - first.take(owner), -1)
        hypotheses.ints[TRACE] = np.maximum(hypotheses.ints[TRACE] - first.take(stream), -1)
        return [
            TreeState(
                frame=state.frame + frames[place],
                hypotheses=Hypotheses(*_between(hypotheses, *begins[place : place + 2])),
                trace=Trace(*_between(trace, *first[place : place + 2])),
                settled=settled[place],
                blank_score=blanks[place][0],
                after_blank=blanks[place][1],
                extra=state.extra,
            )
            for place, state in enumerate(self._states)
        ]


def _settled(parent: Ints, owner: Ints, heads: Ints, stream: Ints, first: Ints) -> list[int]:
    """Return how many of the first trace entries of each stream all its hypotheses share.

    Every entry leads to a hypothesis, so up to the first that ends one or has two successors
    there is a single chain, unless there are two beginnings.

    Args:
        parent: ``(entries,)`` place of each entry's parent, or -1; a stream's lie together.
        owner: ``(entries,)`` the stream of each.
        heads: ``(n,)`` newest entry of each hypothesis, or -1.
        stream: ``(n,)`` the stream of each.
        first: ``(streams + 1,)`` where the entries of each begin, and the end.
    """
    streams = len(first) - 1
    successors = np.bincount(parent + 1, minlength=len(parent) + 1)[1:]
    successors[heads[heads >= 0]] += 2
    (forks,) = (successors != 1).nonzero()
    forks = np.append(forks, len(parent)).take(forks.searchsorted(first[:-1]))
    single = np.bincount(owner[parent < 0], minlength=streams) == 1
    single[stream[heads < 0]] = False
    common = np.where(single, forks + 1 - first[:-1], 0)
    settled: list[int] = common.tolist()
    return settled


Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def _joined(parts: Sequence[Hypotheses | Trace]) -> Pair:
    """Return the concatenated integer and float columns, always as copies."""
    ints, floats = zip(*parts, strict=True)
    return np.concatenate(ints, axis=1), np.concatenate(floats, axis=1)


def _columns(part: Hypotheses | Trace, index: Ints) -> Pair:
    return part.ints.take(index, axis=1), part.floats.take(index, axis=1)


def _between(part: Hypotheses | Trace, first: int, behind: int) -> Pair:
    """Return a range of columns: the original arrays if it covers all, copies otherwise."""
    if behind - first == part.ints.shape[1]:
        return part
    return part.ints[:, first:behind].copy(), part.floats[:, first:behind].copy()
