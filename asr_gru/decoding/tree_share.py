"""Word posteriors of the tree search: the share of hypotheses that contain a word."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from asr_gru.decoding.tree_network import Network, ranges
from asr_gru.decoding.tree_paths import jumps
from asr_gru.decoding.tree_state import (
    NODE,
    PARENT,
    SCORE,
    T_WORD,
    TRACE,
    WORD,
    Floats,
    Ints,
    TreeState,
)

__all__ = ["likely_tokens"]

NEGLIGIBLE = 9.0
"""Hypotheses worse than the best by more than this, in nats, are ignored."""


class _Best(NamedTuple):
    """The best hypothesis of a stream, and those that count beside it.

    Attributes:
        words: numbers of the words behind the settled tokens.
        ends: the token that ends each, counted from there.
        counted: ``(n,)`` columns of the hypotheses that are not negligible.
        rank: ``(n,)`` how much worse than the best each is, in nats.
    """

    words: list[int]
    ends: list[int]
    counted: Ints
    rank: Floats


def likely_tokens(states: Sequence[TreeState], net: Network, share: float) -> list[int]:
    """Return how many tokens of each best hypothesis belong to probable words.

    A hypothesis counts for a word where it has the same words up to it, or stands at a node at
    which that word ends.

    Args:
        states: of distinct streams, each counted for itself.
        net: the search network.
        share: of the probability of all hypotheses of a stream, above 0.
    """
    best = [_best(state, net) for state in states]
    tokens = [state.settled for state in states]
    asked = [place for place, one in enumerate(best) if one.words]
    if not asked:
        return tokens
    masses = _masses([states[place] for place in asked], [best[place] for place in asked], net)
    for place, mass in zip(asked, masses, strict=True):
        whole, *shares = reversed(list(accumulate(reversed(mass))))
        likely = next((n for n, one in enumerate(shares) if one < share * whole), len(shares))
        tokens[place] += best[place].ends[likely - 1] + 1 if likely else 0
    return tokens


def _best(state: TreeState, net: Network) -> _Best:
    ints, floats = state.hypotheses
    rank = floats[SCORE]
    if not state.finished:
        rank = rank + net.below_of(state.hypotheses)
    column = int(rank.argmax())
    rank = rank - rank[column]
    (counted,) = (rank > -NEGLIGIBLE).nonzero()
    chain, entry = [int(ints[WORD, column])], int(ints[TRACE, column])
    if entry >= state.settled:
        parents, word_of = state.trace.ints[PARENT].tolist(), state.trace.ints[T_WORD].tolist()
        while entry >= state.settled:
            chain.append(word_of[entry])
            entry = parents[entry]
    chain.reverse()
    ends = [position for position, word in enumerate(chain) if word >= 0]
    return _Best([chain[position] for position in ends], ends, counted, rank.take(counted))


def _masses(states: Sequence[TreeState], best: Sequence[_Best], net: Network) -> list[list[float]]:
    """Return for each stream the mass of the hypotheses that have 0, 1, 2, ... of its words."""
    ints = np.concatenate(
        [
            state.hypotheses.ints.take(one.counted, axis=1)
            for state, one in zip(states, best, strict=True)
        ],
        axis=1,
    )
    stream = np.arange(len(states)).repeat([len(one.counted) for one in best])
    lengths = np.array([len(one.words) for one in best])
    first = np.cumsum(lengths + 1) - lengths - 1
    spoken = np.concatenate([[*one.words, -2] for one in best])
    words, alike = _agreement(states, ints, stream, spoken, first)
    (unfinished,) = ((words == alike) & (alike < lengths.take(stream))).nonzero()
    node = ints[NODE].take(unfinished)
    count = net.word_count.take(node)
    here = net.tree.words.take(ranges(net.tree.first_word.take(node), count))
    owner = unfinished.repeat(count)
    expected = spoken.take(first.take(stream.take(owner)) + alike.take(owner))
    alike[owner[here == expected]] += 1
    mass = np.exp(np.concatenate([one.rank for one in best]))
    masses = np.bincount(first.take(stream) + alike, mass, len(spoken)).tolist()
    return [
        masses[begin : begin + length + 1]
        for begin, length in zip(first.tolist(), lengths.tolist(), strict=True)
    ]


def _agreement(
    states: Sequence[TreeState], ints: Ints, stream: Ints, spoken: Ints, first: Ints
) -> tuple[Ints, Ints]:
    """Return how many words hypotheses have behind the settled entries, and how many like spoken.

    Args:
        states: of the streams.
        ints: columns of the hypotheses.
        stream: ``(n,)`` whose each is.
        spoken: words of the best of each stream, and -2 after its last.
        first: ``(streams,)`` where those of each begin.
    """
    sizes = [state.trace.ints.shape[1] - state.settled for state in states]
    settled = np.array([state.settled for state in states])
    shift = np.cumsum(sizes) - sizes - settled
    entries = np.concatenate([state.trace.ints[:, state.settled :] for state in states], axis=1)
    owner = np.concatenate((np.arange(len(states)).repeat(sizes), stream))
    parent = np.concatenate((entries[PARENT], ints[TRACE]))
    parent = np.where(parent < settled.take(owner), -1, parent + shift.take(owner))
    parent = np.append(parent, -1)
    word = np.concatenate((entries[T_WORD], ints[WORD], [-1]))
    steps = list(jumps(parent))
    ends = word >= 0
    words = ends.astype(np.int64)
    for jump in steps:
        words = words + words[jump]
    begin, own = first.take(owner), words[:-1]
    last = np.append(first[1:], len(spoken)).take(owner) - 1
    expected = spoken.take(np.minimum(begin + own - 1, last), mode="clip")
    alike = np.full(len(word), len(word))
    alike[:-1] = np.where(ends[:-1] & (word[:-1] != expected), own - 1, len(word))
    for jump in steps:
        alike = np.minimum(alike, alike[jump])
    asked = slice(entries.shape[1], len(word) - 1)
    return words[asked], np.minimum(words, alike)[asked]
