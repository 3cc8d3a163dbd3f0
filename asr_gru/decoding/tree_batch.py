"""Many streams' hypotheses in the same arrays, and apart again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr_gru.decoding.tree_state import (
    PARENT,
    TRACE,
    Hypotheses,
    Ints,
    Trace,
    TreeState,
    collect,
)

__all__ = ["Batch"]

COLLECT_FROM = 2000
"""A trace is cleared of dead entries once it has twice those it was left with, and so many more."""


class Batch:
    """The streams of one call, those with the most frames first.

    Attributes:
        hypotheses: of all streams that are not done, in the same arrays.
        stream: ``(n,)`` whose each is.
    """

    def __init__(self, states: Sequence[TreeState]) -> None:
        self._states = states
        parts = [state.hypotheses for state in states]
        self._sizes = np.array([state.trace.ints.shape[1] for state in states])
        self._offsets = np.concatenate(([0], np.cumsum(self._sizes)))
        self.stream = np.repeat(np.arange(len(states)), [part.ints.shape[1] for part in parts])
        ints = np.concatenate([part.ints for part in parts], axis=1)
        ints[TRACE] += np.where(ints[TRACE] < 0, 0, self._offsets[self.stream])
        self.hypotheses = Hypotheses(ints, np.concatenate([part.floats for part in parts], axis=1))
        self._done = [self.hypotheses] * len(states)
        self._entries: list[tuple[Trace, Ints]] = []
        self.next_entry = int(self._offsets[-1])
        self._active = len(states)

    def keep(self, count: int) -> None:
        """Go on with the first ``count`` streams; the others are done."""
        if count == self._active:
            return
        order = np.argsort(self.stream, kind="stable")
        ends = self.stream[order].searchsorted(np.arange(count, self._active + 1))
        ints, floats = self.hypotheses
        for place, (first, behind) in enumerate(itertools.pairwise(ends.tolist()), count):
            own = order[first:behind]
            self._done[place] = Hypotheses(ints.take(own, axis=1), floats.take(own, axis=1))
        rest = order[: ends[0]]
        self.hypotheses = Hypotheses(ints.take(rest, axis=1), floats.take(rest, axis=1))
        self.stream = self.stream.take(rest)
        self._active = count

    def add(self, entries: Trace, stream: Ints) -> None:
        """Add entries to the traces of their streams; they are numbered from ``next_entry``."""
        if len(stream):
            self._entries.append((entries, stream))
            self.next_entry += len(stream)

    def advanced(
        self, frames: Sequence[int], blanks: Sequence[tuple[float, bool]]
    ) -> list[TreeState]:
        """Return the states of all streams.

        Args:
            frames: how many frames each took.
            blanks: the score of the certain blanks at the end of each, and whether there are any.
        """
        self.keep(0)
        old, sizes = int(self._offsets[-1]), self._sizes
        parts = [trace for trace, _ in self._entries]
        stream = np.concatenate([np.zeros(0, np.int64), *(stream for _, stream in self._entries)])
        order = np.argsort(stream, kind="stable")
        ends = np.searchsorted(stream[order], np.arange(len(self._states) + 1))
        rank = np.empty(len(stream), np.int64)
        rank[order] = np.arange(len(stream)) - ends[stream[order]]
        local = np.concatenate(
            (np.arange(old) - np.repeat(self._offsets[:-1], sizes), sizes[stream] + rank, [-1])
        )  # of each entry in its own stream; the last stands for none
        ints = np.concatenate([np.zeros((5, 0), np.int64), *(p.ints for p in parts)], axis=1)
        floats = np.concatenate([np.zeros((3, 0)), *(p.floats for p in parts)], axis=1)
        ints[PARENT] = local[ints[PARENT]]
        advanced = []
        for place, (state, hypotheses) in enumerate(zip(self._states, self._done, strict=True)):
            own = order[ends[place] : ends[place + 1]]
            hypotheses.ints[TRACE] = local[hypotheses.ints[TRACE]]
            trace = state.trace
            if len(own):
                trace = Trace(
                    np.concatenate((trace.ints, ints[:, own]), axis=1),
                    np.concatenate((trace.floats, floats[:, own]), axis=1),
                )
            blank_score, after_blank = blanks[place]
            after = replace(
                state,
                frame=state.frame + frames[place],
                hypotheses=hypotheses,
                trace=trace,
                blank_score=blank_score,
                after_blank=after_blank,
            )
            full = trace.ints.shape[1] > 2 * state.collected + COLLECT_FROM
            advanced.append(collect(after) if full else after)
        return advanced
