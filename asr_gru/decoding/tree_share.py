"""How sure the tree search is of each word: the share of the hypotheses that have it."""

from __future__ import annotations

import numpy as np

from asr_gru.decoding.pronunciation_tree import PronunciationTree
from asr_gru.decoding.tree_network import ranges
from asr_gru.decoding.tree_paths import jumps
from asr_gru.decoding.tree_state import NODE, PARENT, T_WORD, TRACE, WORD, Floats, Ints, TreeState

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
    spoken, ends = _words_of_best(state, int(rank.argmax()))
    if not spoken:
        return state.settled
    (counted,) = (rank > rank.max() - NEGLIGIBLE).nonzero()
    ints = state.hypotheses.ints.take(counted, axis=1)
    words, alike = _agreement(state, ints, spoken)
    (unfinished,) = ((words == alike) & (alike < len(spoken))).nonzero()
    node = ints[NODE].take(unfinished)
    count = tree.first_word.take(node + 1) - tree.first_word.take(node)
    here = tree.words.take(ranges(tree.first_word.take(node), count))
    owner = unfinished.repeat(count)
    expected = np.array(spoken).take(alike.take(owner))
    alike[owner[here == expected]] += 1
    mass = np.exp(rank.take(counted) - rank.max())
    weight = np.bincount(alike, mass, len(spoken) + 1)[::-1].cumsum()[::-1]
    (unlikely,) = (weight[1:] < share * weight[0]).nonzero()
    likely = int(unlikely[0]) if len(unlikely) else len(spoken)
    return state.settled + (ends[likely - 1] + 1 if likely else 0)


def _words_of_best(state: TreeState, best: int) -> tuple[list[int], list[int]]:
    """Return the words of a hypothesis behind the settled entries, and the token that ends each."""
    parents, word_of = state.trace.ints[PARENT].tolist(), state.trace.ints[T_WORD].tolist()
    words = [int(state.hypotheses.ints[WORD, best])]
    entry = int(state.hypotheses.ints[TRACE, best])
    while entry >= state.settled:
        words.append(word_of[entry])
        entry = parents[entry]
    words.reverse()
    ends = [position for position, word in enumerate(words) if word >= 0]
    return [words[position] for position in ends], ends


def _agreement(state: TreeState, ints: Ints, spoken: list[int]) -> tuple[Ints, Ints]:
    """Return how many words hypotheses have behind the settled entries, and how many like spoken.

    Args:
        state: of the stream.
        ints: columns of the hypotheses.
        spoken: words of the best.
    """
    settled, entries = state.settled, state.trace.ints[:, state.settled :]
    parent = np.concatenate((entries[PARENT], ints[TRACE], [-1])) - settled
    parent = np.maximum(parent, -1)
    offset = entries.shape[1]
    word = np.concatenate((entries[T_WORD], ints[WORD], [-1]))
    steps = list(jumps(parent))
    ends = word >= 0
    words = ends.astype(np.int64)
    for jump in steps:
        words = words + words[jump]
    expected = np.array([*spoken, -2]).take(words - 1, mode="clip")
    alike = np.where(ends & (word != expected), words - 1, len(word))
    for jump in steps:
        alike = np.minimum(alike, alike[jump])
    own = slice(offset, len(word) - 1)
    return words[own], np.minimum(words, alike)[own]
