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
        states: states of all streams, in descending order of their numbers of frames.
    """

    def __init__(self, net: Network, states: Sequence[TreeState]) -> None:
        self._net, self._states = net, states
        self._alone = len(states) == 1
        settled = np.array([state.settled for state in states])
        sizes = [state.trace.ints.shape[1] - state.settled for state in states]
        offsets = np.cumsum([0, *sizes])
        ints, floats = _joined([state.hypotheses for state in states])
        trace = Trace(*_joined([_unsettled(state) for state in states]))
        streams = np.arange(len(states))
        self._stream = streams.repeat([state.hypotheses.ints.shape[1] for state in states])
        owner = streams.repeat(sizes)
        # Pointers to entries of the traces, as they are joined; -1 for settled ones.
        for pointers, whose in ((trace.ints[PARENT], owner), (ints[TRACE], self._stream)):
            if self._alone:
                np.maximum(pointers - settled, -1, out=pointers)
            else:
                first = settled.take(whose)
                shifted = pointers - first + offsets.take(whose)
                pointers[:] = np.where(pointers < first, -1, shifted)
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
        trace = Trace(*_joined(self._entries))
        hypotheses, stream, owner = self._hypotheses, self._stream, self._owners[0]
        if not self._alone:
            hypotheses = Hypotheses(*_joined([*(part for part, _ in self._done), hypotheses]))
            stream = np.concatenate([*(stream for _, stream in self._done), stream])
            owner = np.concatenate(self._owners)
        parent = np.append(trace.ints[PARENT], -1)
        (kept,) = on_paths(parent, hypotheses.ints[TRACE]).nonzero()
        if not self._alone:
            kept = kept.take(owner.take(kept).argsort(kind="stable"))
            order = stream.argsort(kind="stable")
            hypotheses, stream = Hypotheses(*_columns(hypotheses, order)), stream.take(order)
            owner = owner.take(kept)
        parent.fill(-1)
        parent[kept] = np.arange(len(kept))  # the new numbers of entries
        trace = Trace(*_columns(trace, kept))
        for pointers in (trace.ints[PARENT], hypotheses.ints[TRACE]):
            parent.take(pointers, out=pointers, mode="wrap")
        if self._alone:
            shared = _common(trace.ints[PARENT], hypotheses.ints[TRACE])
            return [self._state(0, hypotheses, trace, shared, frames[0], blanks[0])]
        streams = np.arange(len(self._states) + 1)
        first, begins = owner.searchsorted(streams), stream.searchsorted(streams)
        common = _common_of_streams(
            trace.ints[PARENT], owner, hypotheses.ints[TRACE], stream, first
        )
        for pointers, whose in ((trace.ints[PARENT], owner), (hypotheses.ints[TRACE], stream)):
            np.maximum(pointers - first.take(whose), -1, out=pointers)
        return [
            self._state(
                place,
                Hypotheses(*_between(hypotheses, *begins[place : place + 2])),
                Trace(*_between(trace, *first[place : place + 2])),
                common[place],
                frames[place],
                blanks[place],
            )
            for place in range(len(self._states))
        ]

    def _state(
        self,
        place: int,
        hypotheses: Hypotheses,
        trace: Trace,
        common: int,
        frames: int,
        blanks: Blanks,
    ) -> TreeState:
        """Return the state of a stream, with its settled entries before the others."""
        state = self._states[place]
        settled = state.settled
        if settled:
            trace.ints[PARENT] += settled
            hypotheses.ints[TRACE] += settled
            before = Trace(state.trace.ints[:, :settled], state.trace.floats[:, :settled])
            trace = Trace(*_joined([before, trace]))
        return TreeState(
            frame=state.frame + frames,
            hypotheses=hypotheses,
            trace=trace,
            settled=settled + common,
            blank_score=blanks[0],
            after_blank=blanks[1],
            extra=state.extra,
        )


def _unsettled(state: TreeState) -> Trace:
    """Return the entries after the settled ones."""
    return Trace(state.trace.ints[:, state.settled :], state.trace.floats[:, state.settled :])


def _common(parent: Ints, heads: Ints) -> int:
    """Return how many of the first trace entries of a stream all its hypotheses share.

    Every entry leads to a hypothesis, so up to the first that ends one or has two successors
    there is a single chain, unless there are two beginnings.

    Args:
        parent: ``(entries,)`` parent of each entry, or -1.
        heads: ``(n,)`` newest entry of each hypothesis, or -1.
    """
    successors = np.bincount(parent + 1, minlength=len(parent) + 1)
    if successors[0] != 1 or heads.min() < 0:
        return 0
    successors[heads + 1] += 2
    return int((successors[1:] != 1).argmax()) + 1


def _common_of_streams(
    parent: Ints, owner: Ints, heads: Ints, stream: Ints, first: Ints
) -> list[int]:
    """Return what ``_common`` does, for each of many streams.

    Args:
        parent: ``(entries,)`` parent of each entry, or -1; a stream's entries lie together.
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
    counts: list[int] = common.tolist()
    return counts


Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def _joined(parts: Sequence[Hypotheses | Trace]) -> Pair:
    """Return the concatenated integer and float columns, always as copies."""
    ints, floats = zip(*parts, strict=True)
    return np.concatenate(ints, axis=1), np.concatenate(floats, axis=1)


def _columns(part: Hypotheses | Trace, index: Ints) -> Pair:
    return part.ints.take(index, axis=1), part.floats.take(index, axis=1)


def _between(part: Hypotheses | Trace, first: int, stop: int) -> Pair:
    """Return a range of columns: the original arrays if it covers all, copies otherwise."""
    if stop - first == part.ints.shape[1]:
        return part
    return part.ints[:, first:stop].copy(), part.floats[:, first:stop].copy()
