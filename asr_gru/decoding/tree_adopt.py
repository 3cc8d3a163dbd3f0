"""Transfers a search state to a search with other hot words, within a sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asr_gru.decoding.hot_words import HotWords
from asr_gru.decoding.pronunciation_tree import PronunciationTree
from asr_gru.decoding.tree_state import (
    CHARGED,
    LM_STATE,
    NODE,
    PLAIN_ROWS,
    SCORE,
    T_WORD,
    WORD,
    Hypotheses,
    Ints,
    Trace,
    TreeState,
)

__all__ = ["map_nodes", "transfer"]


def map_nodes(node: Ints, old: PronunciationTree, new: PronunciationTree, common: int) -> Ints:
    """Map nodes of one tree to the nodes with the same phones in another; -1 if there is none.

    Args:
        node: ``(n,)`` nodes of ``old``.
        old: a tree.
        new: a tree whose first ``common`` nodes are those of ``old``.
        common: number of nodes that both have.
    """
    mapped = {each: _find(new, _path(old, each)) for each in set(node[node >= common].tolist())}
    return np.array([mapped.get(each, each) for each in node.tolist()], np.int64)


def transfer(
    state: TreeState, node: Ints, old: HotWords | None, new: HotWords | None, first: int
) -> TreeState:
    """Return a state with its hypotheses at other nodes and with other hot words.

    Args:
        state: state of an unfinished sentence.
        node: ``(n,)`` new node of each hypothesis; -1 drops it.
        old: the hot words of the state.
        new: the new hot words.
        first: number of the first word that the lexicon lacks.
    """
    kept = np.flatnonzero(node >= 0)
    ints, floats = state.hypotheses.ints[:, kept], state.hypotheses.floats[:, kept]
    ints[NODE] = node[kept]
    if old is not None and old.states > 1:
        ints[LM_STATE], begun = np.divmod(ints[LM_STATE], old.states)
        floats[SCORE] += floats[CHARGED] - old.pending.take(begun)
    if new is None:
        floats = floats[:PLAIN_ROWS].copy()
    else:
        if len(floats) <= CHARGED:
            floats = np.concatenate((floats, np.zeros((2, len(kept)))))
        floats[CHARGED] = 0.0
        ints[LM_STATE] *= new.states
    trace = Trace(state.trace.ints.copy(), state.trace.floats)
    extra = list(new.extra) if new is not None else []
    if state.extra:
        for words in (trace.ints[T_WORD], ints[WORD]):
            for number in np.unique(words[words >= first]).tolist():
                spelling = state.extra[number - first]
                if spelling not in extra:
                    extra.append(spelling)
        order = np.array([extra.index(s) if s in extra else -1 for s in state.extra], np.int64)
        for words in (trace.ints[T_WORD], ints[WORD]):
            own = words >= first
            words[own] = first + order[words[own] - first]
    return replace(state, hypotheses=Hypotheses(ints, floats), trace=trace, extra=tuple(extra))


def _path(tree: PronunciationTree, node: int) -> list[int]:
    phones = []
    while node:
        phones.append(int(tree.phone[node]))
        node = int(tree.parent[node])
    return phones[::-1]


def _find(tree: PronunciationTree, phones: list[int]) -> int:
    nodes = [0]
    for phone in phones:
        below = [
            np.flatnonzero(tree.parent == 0)
            if not node
            else tree.children[tree.first_child[node] : tree.first_child[node + 1]]
            for node in nodes
        ]
        nodes = [int(node) for own in below for node in own if tree.phone[node] == phone]
    return nodes[-1] if nodes else -1
