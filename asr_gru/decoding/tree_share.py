"""Word posteriors of the tree search: the share of the hypotheses that contain a word."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from asr_gru.decoding.tree_network import Network
from asr_gru.decoding.tree_paths import jumps
from asr_gru.decoding.tree_state import (
    PARENT,
    PHONE,
    SCORE,
    T_WORD,
    TRACE,
    WORD,
    Floats,
    Ints,
    TreeState,
)

__all__ = ["log_likelihoods", "most_likely"]

NEGLIGIBLE = 9.0
"""Hypotheses worse than the best by more than this, in nats, are ignored."""


class _Best(NamedTuple):
    """The most probable hypothesis of a stream, and those that count beside it.

    Attributes:
        column: its column.
        score: its log-likelihood.
        words: numbers of the words behind the settled tokens.
        ends: the token that ends each, counted from there.
        tokens: number of all its tokens.
        counted: ``(n,)`` columns of the hypotheses that are not negligible.
        rank: ``(n,)`` how much less probable than the best each is, in nats.
    """

    column: int
    score: float
    words: list[int]
    ends: list[int]
    tokens: int
    counted: Ints
    rank: Floats


def log_likelihoods(state: TreeState, net: Network) -> Floats:
    """Return the log-likelihood of each hypothesis, all words included that it may become."""
    if state.finished:
        scores: Floats = state.hypotheses.floats[SCORE]
        return scores
    return net.likelihood_of(state.hypotheses)


def most_likely(
    states: Sequence[TreeState], net: Network, share: float
) -> list[tuple[int, float, int]]:
    """Return the most probable hypothesis of each stream, and its tokens in probable words.

    A hypothesis counts for a word if it has the same words up to it.

    Args:
        states: states of distinct streams.
        net: the search network.
        share: minimum share of the probability of all hypotheses of a stream; with 0, all tokens
            are probable.

    Returns:
        column and log-likelihood of each hypothesis, and how many of its tokens are probable.
    """
    best = [_best(state, net) for state in states]
    tokens = [one.tokens for one in best]
    worded = []
    if share:
        tokens = [state.settled for state in states]
        worded = [index for index, one in enumerate(best) if one.words]
    masses = _masses([states[i] for i in worded], [best[i] for i in worded])
    for index, mass in zip(worded, masses, strict=True):
        whole, *shares = reversed(list(accumulate(reversed(mass))))
        likely = next((n for n, one in enumerate(shares) if one < share * whole), len(shares))
        tokens[index] += best[index].ends[likely - 1] + 1 if likely else 0
    return [(one.column, one.score, count) for one, count in zip(best, tokens, strict=True)]


def _best(state: TreeState, net: Network) -> _Best:
    ints = state.hypotheses.ints
    rank = log_likelihoods(state, net)
    column = int(rank.argmax())
    score = float(rank[column])
    rank = rank - score
    (counted,) = (rank > -NEGLIGIBLE).nonzero()
    chain, entry = [int(ints[WORD, column])], int(ints[TRACE, column])
    if entry >= state.settled:
        parents, word_of = state.trace.ints[PARENT].tolist(), state.trace.ints[T_WORD].tolist()
        while entry >= state.settled:
            chain.append(word_of[entry])
            entry = parents[entry]
    chain.reverse()
    ends = [position for position, word in enumerate(chain) if word >= 0]
    words = [chain[position] for position in ends]
    tokens = state.settled + len(chain) - (ints[PHONE, column] == 0)
    return _Best(column, score, words, ends, int(tokens), counted, rank.take(counted))


def _masses(states: Sequence[TreeState], best: Sequence[_Best]) -> list[list[float]]:
    """Return the probability of the hypotheses that have 0, 1, 2, ... of each stream's words."""
    if not states:
        return []
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
    best_words = np.concatenate([[*one.words, -2] for one in best])
    agreeing = _agreement(states, ints, stream, best_words, first)
    mass = np.exp(np.concatenate([one.rank for one in best]))
    masses = np.bincount(first.take(stream) + agreeing, mass, len(best_words)).tolist()
    return [
        masses[begin : begin + length + 1]
        for begin, length in zip(first.tolist(), lengths.tolist(), strict=True)
    ]


def _agreement(
    states: Sequence[TreeState], ints: Ints, stream: Ints, best_words: Ints, first: Ints
) -> Ints:
    """Return how many of the words after the settled ones equal those of the best hypothesis.

    Args:
        states: states of the streams.
        ints: columns of the hypotheses.
        stream: ``(n,)`` stream of each hypothesis.
        best_words: words of the best hypothesis of each stream, each followed by -2.
        first: ``(streams,)`` index of the first word of each stream in ``best_words``.
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
    begin, count = first.take(owner), words[:-1]
    last = np.append(first[1:], len(best_words)).take(owner) - 1
    expected = best_words.take(np.minimum(begin + count - 1, last), mode="clip")
    agreeing = np.full(len(word), len(word))
    agreeing[:-1] = np.where(ends[:-1] & (word[:-1] != expected), count - 1, len(word))
    for jump in steps:
        agreeing = np.minimum(agreeing, agreeing[jump])
    own = slice(entries.shape[1], len(word) - 1)
    agreed: Ints = np.minimum(words, agreeing)[own]
    return agreed
