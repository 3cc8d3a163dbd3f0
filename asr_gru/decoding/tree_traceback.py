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
    ints, floats = state.hypotheses
    entries, parent = [], state.trace.ints[PARENT]
    entry = int(ints[TRACE, column])
    while entry >= state.settled:
        entries.append(entry)
        entry = int(parent[entry])
    chain = [*range(entry + 1), *reversed(entries)]
    last = [column] if ints[PHONE, column] else []
    phones, words, onsets, ends = np.concatenate(
        (state.trace.ints[1:, chain], ints[PHONE:, last]), axis=1
    ).tolist()
    acoustic, peaks, language, posterior = np.concatenate(
        (state.trace.floats[:, chain], floats[TRACED, last]), axis=1
    ).tolist()
    if last:
        acoustic[-1] += state.blank_score
    spans, first, before = [], 0, 0.0
    for position, word in enumerate(words):
        if word >= 0:
            spans.append(
                WordScore(
                    spelling(word),
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
        ends=tuple(end + 1 for end in ends[:count]),
        words=tuple(spans),
    )
