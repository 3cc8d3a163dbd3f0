"""Extends hypotheses of the tree search by phones, and by the words that they complete."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asr_gru.decoding.tree_network import Network, ranges
from asr_gru.decoding.tree_state import (
    BLANK,
    LM_STATE,
    NODE,
    PHONE,
    SCORE,
    SHORTFALL,
    Floats,
    Hypotheses,
    Ints,
)

__all__ = ["Grown", "Words", "complete", "grow"]


class Grown(NamedTuple):
    """Hypotheses extended by a phone, ``(n,)`` each.

    Attributes:
        source: the hypothesis that each comes from.
        node: the node that it reaches.
        phone: its newest.
        log_prob: of the phone.
        score: minus infinity for impossible ones.
        rank: look-ahead score within a longer word; minus infinity at a leaf.
        shortfall: see ``tree_state.SHORTFALL``; meaningless without hot words.
    """

    source: Ints
    node: Ints
    phone: Ints
    log_prob: Floats
    score: Floats
    rank: Floats
    shortfall: Floats

    def at(self, index: Ints) -> Grown:
        """Return the entries at ``index``."""
        return Grown._make(column.take(index) for column in self)


class Words(NamedTuple):
    """Extended hypotheses at the end of a word, ``(n,)`` each.

    Attributes:
        grown: index of the grown hypothesis.
        word: its number.
        lm_score: log-probability of the word and its pronunciation, in nats, without any weight.
        lm_state: state of the language model after it.
        score: of the hypothesis.
        charged: see ``tree_state.CHARGED``; anything where there are no hot words.
    """

    grown: Ints
    word: Ints
    lm_score: Floats
    lm_state: Ints
    score: Floats
    charged: Floats


def grow(net: Network, hypotheses: Hypotheses, rows: Floats, base: Ints, stream: Ints) -> Grown:
    """Return what a phone above the floor can lengthen; after the same phone it needs a blank.

    Args:
        net: where to look things up.
        hypotheses: of all streams.
        rows: ``(streams, tokens)`` log-probabilities of the frame.
        base: ``(n,)`` where the row of each hypothesis begins in ``rows``, flat.
        stream: ``(n,)`` whose each is.
    """
    ints, tree = hypotheses.ints, net.tree
    node = ints[NODE]
    count = net.child_count.take(node)
    inner = tree.children.take(ranges(tree.first_child.take(node), count))
    # The root has a child for nearly every phone; only those of the frame's likely phones count.
    owner, likely = (rows.take(net.root_phones, axis=1) > net.floor).nonzero()
    per_stream = np.bincount(owner, minlength=len(rows))
    (root,) = (node == 0).nonzero()
    of_root = stream.take(root)
    root_count = per_stream.take(of_root)
    first = (per_stream.cumsum() - per_stream).take(of_root)
    outer = net.root_children.take(likely.take(ranges(first, root_count)))

    source = np.concatenate((np.arange(len(node)).repeat(count), root.repeat(root_count)))
    child = np.concatenate((inner, outer))
    phone = tree.phone.take(child)
    log_prob = rows.ravel().take(base.take(source) + phone)
    barred = np.where(ints[BLANK], -1, ints[PHONE])
    score = hypotheses.floats[SCORE].take(source) + log_prob
    score[(log_prob <= net.floor) | (barred.take(source) == phone)] = -np.inf
    lm_state, shortfall = child, log_prob
    if net.hot is not None:
        lm_state = ints[LM_STATE].take(source)
        shortfall = rows.max(axis=1).take(stream).take(source) - log_prob
        shortfall += np.where(node > 0, hypotheses.floats[SHORTFALL], 0.0).take(source)
    rank = score + net.below_at(child, lm_state, shortfall)
    return Grown(source, child, phone, log_prob, score, rank, shortfall)


def complete(net: Network, grown: Grown, hypotheses: Hypotheses) -> Words:
    """Return the words that end at the nodes just reached."""
    tree = net.tree
    count = net.word_count.take(grown.node)
    index = np.arange(len(count)).repeat(count)
    spoken = ranges(tree.first_word.take(grown.node), count)
    word = tree.words.take(spoken)
    source = grown.source.take(index)
    lm_score, state, gain, charged = net.score(
        hypotheses.ints[LM_STATE].take(source),
        word,
        grown.shortfall.take(index),
        hypotheses.floats[-1].take(source),
    )
    if net.weighted_pronunciations:
        log_prob = tree.log_probs.take(spoken)
        lm_score = lm_score + log_prob
        gain = gain + net.parameters.language_weight * log_prob
    return Words(index, word, lm_score, state, grown.score.take(index) + gain, charged)
