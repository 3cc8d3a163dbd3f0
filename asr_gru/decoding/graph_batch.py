"""Batches of graph search states, with the tokens of all streams in the same arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_gru.decoding.frame_search import Blanks, StreamBatch
from asr_gru.decoding.graph_parameters import GraphSearchParameters
from asr_gru.decoding.graph_state import ACOUSTIC, BLANK, SCORE, GraphState, Tokens
from asr_gru.decoding.graph_step import step, step_other
from asr_gru.decoding.phone_graph import PhoneGraph
from asr_gru.decoding.tree_state import Floats, Ints

__all__ = ["GraphBatch"]


class GraphBatch(StreamBatch[GraphState]):
    """The streams of one call of ``GraphSearch``.

    Args:
        graph: the search graph.
        parameters: parameters of the search.
        states: states of all streams, in descending order of frames.
    """

    def __init__(
        self, graph: PhoneGraph, parameters: GraphSearchParameters, states: Sequence[GraphState]
    ) -> None:
        self._graph, self._parameters, self._states = graph, parameters, states
        parts = [state.tokens for state in states]
        self._stream = np.repeat(np.arange(len(parts)), [part.ints.shape[1] for part in parts])
        self._tokens = Tokens(
            np.concatenate([part.ints for part in parts], axis=1),
            np.concatenate([part.floats for part in parts], axis=1),
            np.concatenate([part.history for part in parts]),
        )
        self._other = np.stack([state.other for state in states])
        self._done: list[tuple[Tokens, Floats]] = []  # the last stream first

    def keep(self, count: int) -> None:
        """Continue with the first ``count`` streams; the others are finished."""
        active = len(self._other)
        if count == active:
            return
        ends = np.searchsorted(self._stream, np.arange(count, active + 1)).tolist()
        for place in reversed(range(count, active)):
            part = self._tokens.at(slice(ends[place - count], ends[place - count + 1]))
            tokens = Tokens(part.ints.copy(), part.floats.copy(), part.history.copy())
            self._done.append((tokens, self._other[place].copy()))
        rest = slice(0, ends[0])
        self._tokens, self._stream = self._tokens.at(rest), self._stream[rest]
        self._other = self._other[:count]

    def add_blanks(self, blanks: Sequence[Blanks]) -> None:
        """Append the skipped frames to the tokens and phone loops of their streams."""
        if not any(any_blank for _, any_blank in blanks):
            return
        score = np.array([one for one, _ in blanks])
        after = np.array([any_blank for _, any_blank in blanks])
        ints, floats = self._tokens.ints.copy(), self._tokens.floats.copy()
        ints[BLANK] |= after[self._stream]
        floats[[SCORE, ACOUSTIC]] += score[self._stream]
        blank_only = np.full_like(self._other, -np.inf)
        blank_only[:, 0] = self._other.max(axis=1) + score
        self._tokens = Tokens(ints, floats, self._tokens.history)
        self._other = np.where(after[:, None], blank_only, self._other)

    def step(self, rows: Floats, frames: Ints) -> None:
        """Search one frame of each stream."""
        self._other = step_other(self._other, rows, self._parameters.rejection)
        if len(self._stream):
            rival = self._other.max(axis=1)
            self._tokens, self._stream = step(
                self._graph, self._parameters, self._tokens, self._stream, rows, frames, rival
            )

    def advanced(self, frames: Sequence[int], blanks: Sequence[Blanks]) -> list[GraphState]:
        """Return the states of all streams."""
        self.keep(0)
        return [
            GraphState(state.frame + count, tokens, other, score, any_blank)
            for state, count, (score, any_blank), (tokens, other) in zip(
                self._states, frames, blanks, reversed(self._done), strict=True
            )
        ]
