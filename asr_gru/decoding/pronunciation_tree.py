"""A prefix tree of the pronunciations of all words.

Ney, Haeb-Umbach, Tran, Oerder: Improvements in beam search for 10000-word continuous speech
recognition (1992).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr_gru.errors import ModelError

__all__ = [
    "PronunciationTree",
    "best_words",
    "build_tree",
    "likeliest_first",
    "look_ahead",
    "shares_below",
]

LEVELS = 16
"""Levels per nat to which scores are rounded, so that they are sorted in linear time."""
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PronunciationTree:
    """A tree in flat arrays; node 0 is the root, a node comes before all nodes below it.

    Attributes:
        phone: ``(nodes,)`` the token that leads into each node; 0 for the root.
        depth: ``(nodes,)`` tokens from the root.
        parent: ``(nodes,)`` the node above; -1 for the root.
        first_child: ``(nodes + 1,)`` where each node's children begin in ``children``.
        children: ``(nodes - 1,)`` node numbers, grouped by parent.
        first_word: ``(nodes + 1,)`` where the words that end at each node begin in ``words``.
        words: ``(pronunciations,)`` word numbers, grouped by the node at which they end.
        log_probs: ``(pronunciations,)`` log-probability of each pronunciation of its word, relative
            to the most probable one.
    """

    phone: Ints
    depth: Ints
    parent: Ints
    first_child: Ints
    children: Ints
    first_word: Ints
    words: Ints
    log_probs: Floats

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.phone)


def build_tree(
    words: npt.ArrayLike,
    phones: npt.ArrayLike,
    first: npt.ArrayLike,
    *,
    log_probs: npt.ArrayLike | None = None,
) -> PronunciationTree:
    """Build the tree of pronunciations.

    Args:
        words: ``(n,)`` the word number of each pronunciation.
        phones: the tokens of all pronunciations, one after the other, each above 0.
        first: ``(n + 1,)`` where each pronunciation begins in ``phones``.
        log_probs: ``(n,)`` log-probability of each pronunciation of its word, relative to the most
            probable one; None for equal probabilities.

    Raises:
        ModelError: there are no pronunciations, or one is empty.
    """
    word = np.asarray(words, np.int64)
    flat = np.asarray(phones, np.int64)
    start = np.asarray(first, np.int64)
    length = np.diff(start)
    if not len(word) or len(start) != len(word) + 1 or length.min() < 1 or flat.min() < 1:
        raise ModelError("a lexicon without pronunciations, or with an empty one; build it again")
    table = _table(flat, length)
    order = np.lexsort((word, *table.view(">u8").T[::-1]))
    table = table[order]
    word, length, start = (array[order] for array in (word, length, start[:-1]))
    log_prob = np.zeros(len(word)) if log_probs is None else np.asarray(log_probs, float)[order]

    # A row adds a node for each token after the prefix that it shares with the previous row.
    differs = table[1:] != table[:-1]
    shared = np.zeros(len(word), np.int64)
    shared[1:] = np.where(differs.any(axis=1), differs.argmax(axis=1), length[1:])
    added = length - shared
    ends = added.cumsum()
    begins = ends - added
    count = int(ends[-1]) + 1
    phone, depth, parent = (np.zeros(count, np.int64) for _ in range(3))
    place = np.arange(count - 1) + (shared - begins).repeat(added)
    depth[1:], phone[1:] = place + 1, flat[place + start.repeat(added)]
    parent[1:], parent[0] = np.arange(count - 1), -1
    # Only the first token of a row continues a node of another row: the newest of its depth.
    branches = added > 0
    for prefix in range(int(shared.max()) + 1):
        before = begins[branches & (shared == prefix)]
        nodes = np.flatnonzero(depth == prefix)
        parent[before + 1] = nodes[nodes.searchsorted(before, side="right") - 1]
    by_end = np.argsort(ends, kind="stable")
    return PronunciationTree(
        phone=phone,
        depth=depth,
        parent=parent,
        first_child=_starts(parent[1:], count),
        children=np.argsort(parent[1:], kind="stable") + 1,
        first_word=_starts(ends, count),
        words=word[by_end],
        log_probs=log_prob[by_end],
    )


def look_ahead(tree: PronunciationTree, word_scores: npt.ArrayLike) -> Floats:
    """Return for each node the best score of a word below it, less that of all words.

    Ortmanns, Ney, Eiden: Language-model look-ahead for large vocabulary speech recognition (1996).

    Args:
        tree: the words.
        word_scores: ``(words,)`` of each word number, such as its unigram log-probability.
    """
    scores = np.asarray(word_scores, np.float64)
    best = np.full(len(tree), -np.inf)
    node = np.repeat(np.arange(len(tree)), np.diff(tree.first_word))
    np.maximum.at(best, node, scores[tree.words] + tree.log_probs)
    for depth in range(int(tree.depth.max()), 0, -1):
        nodes = np.flatnonzero(tree.depth == depth)
        np.maximum.at(best, tree.parent[nodes], best[nodes])
    best -= best[0]
    return best


def shares_below(tree: PronunciationTree, word_scores: npt.ArrayLike, weight: float) -> Floats:
    """Return for each node the logarithm of the share of all words that is below it.

    Words that end at the node are left out. The share of a leaf is tiny, but above 0.

    Args:
        tree: the words.
        word_scores: ``(words,)`` of each word number, such as its unigram log-probability.
        weight: factor of the scores and of the pronunciations' log-probabilities.
    """
    scores = np.asarray(word_scores, np.float64).take(tree.words) + tree.log_probs
    node = np.repeat(np.arange(len(tree)), np.diff(tree.first_word))
    ending = np.bincount(node, np.exp(weight * (scores - scores.max())), len(tree))
    below = np.zeros(len(tree))
    for depth in range(int(tree.depth.max()), 0, -1):
        nodes = np.flatnonzero(tree.depth == depth)
        np.add.at(below, tree.parent[nodes], below[nodes] + ending[nodes])
    shares: Floats = np.log(np.maximum(below / below[0], np.finfo(np.float64).tiny))
    return shares


def likeliest_first(tree: PronunciationTree, word_scores: npt.ArrayLike) -> PronunciationTree:
    """Return the same tree, its nodes in descending order of the best word below each.

    A search visits few of the nodes again and again, which are then close together in memory.
    """
    score = np.round(LEVELS * look_ahead(tree, word_scores))
    level = np.maximum(score, np.iinfo(np.int16).min).astype(np.int16)
    order = (-1 - level).argsort(kind="stable")  # a parent is never behind its children
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    child_rows, first_child = _rows(tree.first_child, order)
    word_rows, first_word = _rows(tree.first_word, order)
    parent = number.take(tree.parent.take(order))
    parent[0] = -1
    return PronunciationTree(
        phone=tree.phone.take(order),
        depth=tree.depth.take(order),
        parent=parent,
        first_child=first_child,
        children=number.take(tree.children.take(child_rows)),
        first_word=first_word,
        words=tree.words.take(word_rows),
        log_probs=tree.log_probs.take(word_rows),
    )


def best_words(tree: PronunciationTree, word_scores: npt.ArrayLike) -> Ints:
    """Return for each node the word below it, or at it, that has the best score."""
    scores = np.asarray(word_scores, np.float64)
    node = np.repeat(np.arange(len(tree)), np.diff(tree.first_word))
    best = np.full(len(tree), -1)
    order = np.argsort(scores[tree.words], kind="stable")
    best[node[order]] = tree.words[order]  # of several at a node the last, the best, stays
    value = np.where(best < 0, -np.inf, scores[best])
    for depth in range(int(tree.depth.max()), 0, -1):
        nodes = np.flatnonzero(tree.depth == depth)
        nodes = nodes[np.argsort(value[nodes], kind="stable")]
        better = nodes[value[nodes] > value[tree.parent[nodes]]]
        best[tree.parent[better]] = best[better]
        value[tree.parent[better]] = value[better]
    return best


def _table(tokens: Ints, lengths: Ints) -> npt.NDArray[np.unsignedinteger]:
    """Return sequences as rows padded with zeros, whose eight-byte words sort like the tokens."""
    token = np.dtype("u1" if tokens.max() < 1 << 8 else ">u2")
    width = -(-int(lengths.max()) * token.itemsize // 8) * 8 // token.itemsize
    table = np.zeros((len(lengths), width), token)
    table[np.arange(width) < lengths[:, None]] = tokens
    return table


def _starts(groups: Ints, count: int) -> Ints:
    """Return where each of ``count`` groups begins once the members are sorted by group."""
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(groups, minlength=count), out=starts[1:])
    return starts


def _rows(first: Ints, order: Ints) -> tuple[Ints, Ints]:
    """Return which members groups have in another order, and where each group then begins."""
    count = np.diff(first).take(order)
    starts = np.concatenate((np.zeros(1, np.int64), count.cumsum()))
    rows = (first.take(order) - starts[:-1]).repeat(count)
    return rows + np.arange(len(rows)), starts
