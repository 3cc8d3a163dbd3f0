"""Extends the pronunciation tree and its look-ahead by hot words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.hot_words import HotWords
from asr_gru.decoding.pronunciation_tree import PronunciationTree, build_tree
from asr_gru.decoding.tree_state import Floats, Ints

__all__ = ["HotLook", "extended", "rare_log_prob"]

RARE = 5.0
"""Words unknown to the language model get the probability of this percentile of its words."""


def rare_log_prob(unigrams: npt.NDArray[np.float32], words: Ints) -> float:
    """Return the log-probability of rare words, for words that the language model lacks.

    Args:
        unigrams: log-probability of each word number.
        words: the words of the lexicon; the marks of sentences are none, and can be impossible.
    """
    return float(np.percentile(unigrams[np.unique(words)], RARE))


def extended(tree: PronunciationTree, hot: HotWords) -> PronunciationTree:
    """Return the tree with the additional pronunciations of hot words, below the same root.

    Their nodes follow those of the tree, whose numbers stay. ``first_child`` does not list the
    root's new children; their parent is the root all the same.
    """
    words = [word for word, ways in hot.pronunciations.items() for _ in ways]
    if not words:
        return tree
    ways = list(chain.from_iterable(hot.pronunciations.values()))
    starts = np.cumsum([0, *map(len, ways)])
    own = build_tree(words, [*chain.from_iterable(ways)], starts)
    more, of_root = len(tree) - 1, int(own.first_child[1])
    return PronunciationTree(
        phone=np.concatenate((tree.phone, own.phone[1:])),
        depth=np.concatenate((tree.depth, own.depth[1:])),
        parent=np.concatenate(
            (tree.parent, np.where(own.parent[1:] > 0, own.parent[1:] + more, 0))
        ),
        first_child=np.concatenate((tree.first_child[:-1], own.first_child[1:] - of_root + more)),
        children=np.concatenate((tree.children, own.children[of_root:] + more)),
        first_word=np.concatenate((tree.first_word[:-1], own.first_word[1:] + tree.first_word[-1])),
        words=np.concatenate((tree.words, own.words)),
        log_probs=np.concatenate((tree.log_probs, own.log_probs)),
    )


@dataclass(frozen=True, slots=True)
class _Paths:
    """Nodes on the paths to words, ``(n,)``: row of the word, node, depth, depth of the end."""

    row: Ints
    node: Ints
    depth: Ints
    length: Ints


class HotLook:
    """The effect of hot words on the look-ahead, which is only used to compare hypotheses.

    The bonus of a word is granted phone by phone, minus the effect of its shortfall so far, and
    taken back elsewhere.

    Args:
        tree: the tree, including hot words.
        hot: the hot words.
        look: ``(nodes,)`` weighted look-ahead of each node.
        below: ``(nodes,)`` the same without words that end at the node.
        word_look: ``(words,)`` weighted look-ahead of each word alone.
    """

    def __init__(
        self,
        tree: PronunciationTree,
        hot: HotWords,
        look: Floats,
        below: Floats,
        word_look: Floats,
    ) -> None:
        state, word, gain = hot.edges()
        paths = _paths_to(tree, word)
        within = paths.depth < paths.length
        value = word_look.take(word.take(paths.row))
        value += gain.take(paths.row) * paths.depth / paths.length
        first = state.take(paths.row) == 0
        self._raised, self._raised_below = look.copy(), below.copy()
        np.maximum.at(self._raised, paths.node[first], value[first])
        np.maximum.at(self._raised_below, paths.node[first & within], value[first & within])
        self._plain, self._plain_below = look, below
        self._hot, self._nodes = hot, len(tree)
        key = state.take(paths.row) * self._nodes + paths.node
        self._keys, place = np.unique(key[~first], return_inverse=True)
        self._look, self._below = (np.full(len(self._keys), -np.inf) for _ in range(2))
        np.maximum.at(self._look, place, value[~first])
        inner = within[~first]
        np.maximum.at(self._below, place[inner], value[~first][inner])

    def look(self, node: Ints, lm_state: Ints, shortfall: Floats) -> Floats:
        """Return look-aheads of hypotheses.

        Args:
            node: node of each hypothesis.
            lm_state: as in ``LM_STATE``.
            shortfall: as in ``SHORTFALL``.
        """
        charge = self._hot.caution * shortfall
        values = self._first(self._plain, self._raised, node, charge)
        return self._within(values, self._look, node, lm_state, charge)

    def below(self, node: Ints, lm_state: Ints, shortfall: Floats) -> Floats:
        """Return the same without words that end at the node."""
        charge = self._hot.caution * shortfall
        values = self._first(self._plain_below, self._raised_below, node, charge)
        return self._within(values, self._below, node, lm_state, charge)

    def _first(self, plain: Floats, raised: Floats, node: Ints, charge: Floats) -> Floats:
        if not self._hot.caution:
            return raised.take(node)
        values: Floats = np.maximum(plain.take(node), raised.take(node) - charge * (node > 0))
        return values

    def _within(
        self, values: Floats, table: Floats, node: Ints, lm_state: Ints, charge: Floats
    ) -> Floats:
        if self._hot.states == 1:
            return values
        state = lm_state % self._hot.states
        (begun,) = state.nonzero()
        if not len(begun):
            return values
        state, node, charge = state.take(begun), node.take(begun), charge.take(begun)
        goes_on = np.full(len(begun), -np.inf)
        if len(self._keys):
            key = state * self._nodes + node
            place = np.minimum(self._keys.searchsorted(key), len(self._keys) - 1)
            goes_on = np.where(self._keys.take(place) == key, table.take(place) - charge, goes_on)
        advance = np.where(node > 0, self._hot.pending.take(state), 0.0)
        values[begun] = np.maximum(values.take(begun) - advance, goes_on)
        return values


def _paths_to(tree: PronunciationTree, words: Ints) -> _Paths:
    """Return the nodes below the root that lead to each row of ``words``."""
    (entry,) = np.isin(tree.words, words).nonzero()
    end = tree.first_word.searchsorted(entry, "right") - 1
    order = words.argsort(kind="stable")
    ordered = words.take(order)
    low = ordered.searchsorted(tree.words.take(entry))
    high = ordered.searchsorted(tree.words.take(entry), "right")
    count = high - low
    row = order.take(np.arange(count.sum()) + (low - count.cumsum() + count).repeat(count))
    node = end.repeat(count)
    length = tree.depth.take(node)
    found = []
    while len(node):
        found.append((row, node, tree.depth.take(node), length))
        node = tree.parent.take(node)
        inner = node > 0
        row, node, length = row[inner], node[inner], length[inner]
    if not found:
        nothing = np.zeros(0, np.int64)
        return _Paths(nothing, nothing, nothing, nothing)
    return _Paths(*(np.concatenate(column) for column in zip(*found, strict=True)))
