"""How sure the tree search is of each word: the share of the hypotheses that have it."""

from __future__ import annotations

import math

import numpy as np

from asr_gru.decoding.pronunciation_tree import PronunciationTree
from asr_gru.decoding.tree_state import NODE, PARENT, T_WORD, TRACE, WORD, Floats, TreeState

__all__ = ["likely_tokens"]

NEGLIGIBLE = 9.0
"""Hypotheses this much worse than the best, in nats, have no share worth counting."""


def likely_tokens(state: TreeState, rank: Floats, tree: PronunciationTree, share: float) -> int:
    """Return how many tokens of the best hypothesis belong to words that are likely.

    A hypothesis counts for a word where it has the same words up to it, or stands at a node at
    which that word ends.

    Args:
        state: of the stream.
        rank: ``(n,)`` how the hypotheses compare, in nats.
        tree: the pronunciations.
        share: of the probability of all hypotheses, above 0.
    """
    ints, entries = state.hypotheses.ints, state.trace.ints
    parents, word_of = entries[PARENT], entries[T_WORD]
    best = int(rank.argmax())
    chain: list[int] = []
    entry = int(ints[TRACE, best])
    while entry >= state.settled:
        chain.append(entry)
        entry = int(parents[entry])
    chain.reverse()
    words = [int(word_of[entry]) for entry in chain] + [int(ints[WORD, best])]
    ends = [position for position, word in enumerate(words) if word >= 0]
    spoken = [words[position] for position in ends]

    # For each entry, the words since the settled ones: how many, and how many like the best's.
    known: dict[int, tuple[int, int]] = {entry: (0, 0)}

    def counted(entry: int) -> tuple[int, int]:
        path = []
        while entry not in known:
            path.append(entry)
            entry = int(parents[entry])
        count = known[entry]
        for later in reversed(path):
            count = known[later] = _with(count, int(word_of[later]), spoken)
        return count

    weight = [0.0] * len(spoken)
    total = 0.0
    top = float(rank[best])
    for column in np.flatnonzero(rank > top - NEGLIGIBLE).tolist():
        mass = math.exp(float(rank[column]) - top)
        total += mass
        count, alike = _with(counted(int(ints[TRACE, column])), int(ints[WORD, column]), spoken)
        if count == alike < len(spoken):
            node = int(ints[NODE, column])
            here = tree.words[tree.first_word[node] : tree.first_word[node + 1]]
            alike += spoken[alike] in here
        for place in range(alike):
            weight[place] += mass
    likely = 0
    while likely < len(spoken) and weight[likely] >= share * total:
        likely += 1
    settled = state.settled
    return settled + (ends[likely - 1] + 1 if likely else 0)


def _with(count: tuple[int, int], word: int, spoken: list[int]) -> tuple[int, int]:
    """Count one more word, if it is one."""
    if word < 0:
        return count
    words, alike = count
    same = words == alike < len(spoken) and spoken[alike] == word
    return words + 1, alike + same
