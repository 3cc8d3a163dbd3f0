"""Candidates of one frame of the tree search: hypotheses that stay, grow, or complete a word.

Candidates of a kind are the columns of two arrays, so that all of their values are selected and
joined in two operations. With few hypotheses the number of array operations is what a frame costs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asr_gru.decoding.tree_network import Network, ranges
from asr_gru.decoding.tree_state import (
    LAST,
    LM_STATE,
    NODE,
    PHONE,
    SCORE,
    SHORTFALL,
    Floats,
    Hypotheses,
    Ints,
)

__all__ = ["Candidates", "Frame", "Words", "complete", "grow", "stay"]

SOURCE, PLACE = range(2)
"""Rows of ``Candidates.ints``."""
RANK, NEW_SCORE, LOG_PROB, NEW_SHORTFALL = range(4)
"""Rows of ``Candidates.floats``."""


class Frame(NamedTuple):
    """A frame of all streams, with the hypotheses before it.

    Attributes:
        net: the search network.
        hypotheses: hypotheses of all streams.
        stream: ``(n,)`` stream of each hypothesis.
        rows: ``(streams, tokens)`` log-probabilities, with the blank bias applied.
        alone: whether there is only one stream.
    """

    net: Network
    hypotheses: Hypotheses
    stream: Ints
    rows: Floats
    alone: bool

    def at(self, hypotheses: Ints | None, token: Ints) -> Ints:
        """Return where tokens of hypotheses, by default of each in turn, are in the flat rows."""
        if self.alone:
            return token
        stream = self.stream if hypotheses is None else self.stream.take(hypotheses)
        return stream * self.net.tokens + token

    def shortfall(self, hypotheses: Ints | None, log_prob: Floats) -> Floats:
        """Return how much likelier the likeliest token is."""
        stream = self.stream if hypotheses is None else self.stream.take(hypotheses)
        shortfall: Floats = self.rows.max(axis=1).take(stream) - log_prob
        return shortfall


class Candidates(NamedTuple):
    """Candidates, one column each.

    Attributes:
        ints: ``(2, n)``: the hypothesis that each comes from; its place.
        floats: ``(3, n)``: how it compares with others, minus infinity if it cannot be kept; its
            score; log-probability of its token. With hot words ``(4, n)``: then what is in
            ``tree_state.SHORTFALL``.
    """

    ints: Ints
    floats: Floats

    def at(self, index: Ints) -> Candidates:
        """Return the candidates at ``index``."""
        return Candidates(self.ints.take(index, axis=1), self.floats.take(index, axis=1))


class Words(NamedTuple):
    """Candidates at the end of a word, ``(n,)`` each.

    Attributes:
        candidates: at the root; their rank is their score.
        word: its number.
        lm_score: log-probability of the word and its pronunciation, in nats, without any weight.
        lm_state: state of the language model after it.
        charged: see ``tree_state.CHARGED``; meaningless without hot words.
    """

    candidates: Candidates
    word: Ints
    lm_score: Floats
    lm_state: Ints
    charged: Floats


def stay(frame: Frame) -> Candidates:
    """Return the hypotheses at their nodes: first all with a blank, then with their phone again.

    After a blank the phone cannot be repeated.
    """
    net, (ints, floats) = frame.net, frame.hypotheses
    count = ints.shape[1]
    found = Candidates(
        np.empty((2, 2, count), np.int64), np.empty((3 + (net.hot is not None), 2, count))
    )
    source, place = found.ints
    source[:] = np.arange(count)
    np.left_shift(ints[NODE], net.shift, out=place[0])
    np.bitwise_or(place[0], ints[PHONE], out=place[1])
    rank, score, log_prob = found.floats[:3]
    log_prob[0] = frame.rows[0, 0] if frame.alone else frame.rows[:, 0].take(frame.stream)
    log_prob[1] = frame.rows.ravel().take(frame.at(None, ints[PHONE]))
    np.add(floats[SCORE], log_prob, out=score)
    np.putmask(score[1], ints[LAST] == 0, -np.inf)
    np.add(score, net.below_of(frame.hypotheses), out=rank)
    if net.hot is not None:
        found.floats[NEW_SHORTFALL] = floats[SHORTFALL] + frame.shortfall(None, log_prob)
    return Candidates(found.ints.reshape(2, -1), found.floats.reshape(-1, 2 * count))


def grow(frame: Frame) -> tuple[Candidates, Floats]:
    """Return hypotheses extended by a phone above the floor, and their look-ahead scores.

    The same phone again needs a blank between. Candidates compare as parts of longer words, and
    those at a leaf cannot be kept; the look-ahead scores include words that end at their nodes.
    """
    net, (ints, floats) = frame.net, frame.hypotheses
    node = ints[NODE]
    count = net.child_count.take(node)
    place = net.children.take(ranges(net.first_child.take(node), count))
    source = np.arange(len(node)).repeat(count)
    log_prob = frame.rows.ravel().take(frame.at(source, place & net.mask))
    (likely,) = (log_prob > net.floor).nonzero()
    found = Candidates(
        np.empty((2, len(likely)), np.int64),
        np.empty((3 + (net.hot is not None), len(likely))),
    )
    source.take(likely, out=found.ints[SOURCE], mode="clip")
    place.take(likely, out=found.ints[PLACE], mode="clip")
    log_prob.take(likely, out=found.floats[LOG_PROB], mode="clip")
    source, place = found.ints
    score, log_prob = found.floats[NEW_SCORE], found.floats[LOG_PROB]
    np.add(floats[SCORE].take(source), log_prob, out=score)
    np.putmask(score, ints[LAST].take(source) == place & net.mask, -np.inf)
    node = place >> net.shift
    lm_state, shortfall = node, log_prob  # only hot words need others
    if net.hot is not None:
        lm_state = ints[LM_STATE].take(source)
        within = np.where(ints[NODE] > 0, floats[SHORTFALL], 0.0)
        shortfall = frame.shortfall(source, log_prob) + within.take(source)
        found.floats[NEW_SHORTFALL] = shortfall
    np.add(score, net.below_at(node, lm_state, shortfall), out=found.floats[RANK])
    return found, score + net.look_at(node, lm_state, shortfall)


def complete(frame: Frame, grown: Candidates) -> Words:
    """Return the words that end at the nodes just reached."""
    net, tree, (ints, floats) = frame.net, frame.net.tree, frame.hypotheses
    node = grown.ints[PLACE] >> net.shift
    count = net.word_count.take(node)
    found = grown.at(np.arange(len(count)).repeat(count))
    entry = ranges(tree.first_word.take(node), count)
    word, source = tree.words.take(entry), found.ints[SOURCE]
    shortfall = charged = found.floats[LOG_PROB]  # only hot words need others
    if net.hot is not None:
        shortfall, charged = found.floats[NEW_SHORTFALL], floats[-1].take(source)
    lm_score, state, gain, charged = net.score(
        ints[LM_STATE].take(source), word, shortfall, charged
    )
    if net.weighted_pronunciations:
        log_prob = tree.log_probs.take(entry)
        lm_score = lm_score + log_prob
        gain = gain + net.parameters.language_weight * log_prob
    found.ints[PLACE] &= net.mask
    found.floats[NEW_SCORE] += gain
    found.floats[RANK] = found.floats[NEW_SCORE]
    return Words(found, word, lm_score, state, charged)
