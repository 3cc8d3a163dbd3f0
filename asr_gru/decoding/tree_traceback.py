"""Reads a hypothesis of the tree search from its column and the trace of completed phones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asr_gru.decoding.protocol import Hypothesis, WordScore
from asr_gru.decoding.tree_state import PARENT, PHONE, TRACE, TRACED, TreeState

__all__ = ["trace_back"]


def trace_back(
    state: TreeState, column: int, log_prob: float, spelling: Callable[[int], str]
) -> Hypothesis:
    """Return a hypothesis of a state, with its phones, words and scores.

    Args:
        state: the state.
        column: column of the hypothesis.
        log_prob: its score.
        spelling: returns the spelling of a word number.
    """
    (ints, floats), trace = state.hypotheses, state.trace
    entries, entry = [], int(ints[TRACE, column])
    while entry >= state.settled:
        entries.append(entry)
        entry = int(trace.ints[PARENT, entry])
    shared, last = slice(entry + 1), slice(column, column + int(ints[PHONE, column] > 0))
    own = np.array(entries[::-1], np.int64)
    phones, words, onsets, ends = np.concatenate(
        (trace.ints[1:, shared], trace.ints[1:].take(own, axis=1), ints[PHONE:, last]), axis=1
    ).tolist()
    acoustic, peaks, language, posterior = np.concatenate(
        (trace.floats[:, shared], trace.floats.take(own, axis=1), floats[TRACED, last]), axis=1
    ).tolist()
    if last.stop > column:
        acoustic[-1] += state.blank_score
    spans, first, before = [], 0, 0.0
    for position in [index for index, word in enumerate(words) if word >= 0]:
        spans.append(
            WordScore(
                spelling(words[position]),
                first,
                position + 1,
                acoustic[position] - before,
                language[position],
                posterior[position],
            )
        )
        first, before = position + 1, acoustic[position]
    count = first if state.finished else len(phones)
    return Hypothesis(
        tuple(phones[:count]),
        tuple(onsets[:count]),
        log_prob,
        token_log_probs=tuple(peaks[:count]),
        ends=tuple([end + 1 for end in ends[:count]]),
        words=tuple(spans),
    )
