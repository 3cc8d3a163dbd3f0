"""One frame of the tree search, for the hypotheses of many streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr_gru.decoding.tree_merge import distinct, mix, narrow
from asr_gru.decoding.tree_state import (
    ACOUSTIC,
    BLANK,
    END,
    LM_SCORE,
    LM_STATE,
    NODE,
    ONSET,
    PEAK,
    PHONE,
    SCORE,
    TRACE,
    WORD,
    WORDS_HASH,
    Floats,
    Hypotheses,
    Ints,
    Trace,
)

if TYPE_CHECKING:
    from asr_gru.decoding.pronunciation_tree import PronunciationTree
    from asr_gru.decoding.tree_knobs import TreeSearchKnobs, WordModel

__all__ = ["Network", "step"]


class Network:
    """What a step looks things up in.

    Attributes:
        tree: the pronunciations.
        model: the language model, or None.
        knobs: as tuned.
        tokens: columns of the log-probabilities.
        look: ``(nodes,)`` weighted look-ahead of each node, words that end at it included.
        below: ``(nodes,)`` the same without these: what a hypothesis at the node may become.
        floor: log-probability below which no phone begins.
    """

    def __init__(
        self,
        tree: PronunciationTree,
        model: WordModel | None,
        knobs: TreeSearchKnobs,
        tokens: int,
        look: Floats,
    ) -> None:
        self.tree, self.model, self.knobs, self.tokens, self.look = tree, model, knobs, tokens, look
        self.below = np.full(len(tree), -np.inf)
        np.maximum.at(self.below, tree.parent[1:], look[1:])
        self.child_count = np.diff(tree.first_child)
        self.word_count = np.diff(tree.first_word)
        self.root_children = tree.children[: self.child_count[0]]
        self.root_phones = tree.phone[self.root_children]
        with np.errstate(divide="ignore"):
            self.floor = float(np.log(knobs.phone_floor))


class _Grown(NamedTuple):
    """Hypotheses that a phone lengthens: where from, to which node, at which score."""

    source: Ints
    node: Ints
    phone: Ints
    log_prob: Floats
    score: Floats

    def at(self, index: Ints) -> _Grown:
        """Return some of them."""
        return _Grown(
            self.source[index],
            self.node[index],
            self.phone[index],
            self.log_prob[index],
            self.score[index],
        )


class _Words(NamedTuple):
    """Grown hypotheses that a word completes."""

    grown: Ints
    word: Ints
    lm_score: Floats
    lm_state: Ints
    score: Floats


def step(
    net: Network,
    hypotheses: Hypotheses,
    stream: Ints,
    rows: Floats,
    frames: Ints,
    next_entry: int,
) -> tuple[Hypotheses, Ints, Trace, Ints]:
    """Take one frame of each stream.

    Args:
        net: the tree and all that goes with it.
        hypotheses: of all streams, side by side.
        stream: ``(n,)`` whose each is; rises.
        rows: ``(streams, tokens)``, the bias taken off the blank.
        frames: ``(streams,)`` the frame's number in each stream.
        next_entry: the number that the first new entry of the trace will have.

    Returns:
        hypotheses and their streams, new entries of the trace and their streams.
    """
    ints, floats = hypotheses
    score, tokens = floats[SCORE], net.tokens
    flat, base = rows.ravel(), stream * tokens
    look = net.below[ints[NODE]]

    # Staying at the node: by a blank, or by the newest phone once more.
    going = np.flatnonzero(ints[BLANK] == 0)
    stay_log_prob, again_log_prob = flat[base], flat[base[going] + ints[PHONE][going]]
    stay, again = score + stay_log_prob, score[going] + again_log_prob

    # Growing by a phone, perhaps to the end of a word.
    grown = _grow(net, hypotheses, stream, rows)
    rank = grown.score + net.look[grown.node]
    best = np.full(len(rows), -np.inf)
    np.maximum.at(best, stream, stay + look)
    np.maximum.at(best, stream[going], again + look[going])
    inner = np.flatnonzero(net.child_count[grown.node])
    np.maximum.at(
        best, stream[grown.source[inner]], grown.score[inner] + net.below[grown.node[inner]]
    )
    near = np.flatnonzero(rank >= (best - net.knobs.beam)[stream[grown.source]])
    grown = grown.at(near)
    words = _complete(net, grown, ints[LM_STATE])
    inner = np.flatnonzero(net.child_count[grown.node])
    ended = grown.source[words.grown]

    # All that there is now; what stands at the same place is one hypothesis: the best.
    source = np.concatenate((np.arange(len(stream)), going, grown.source[inner], ended))
    place = np.concatenate(
        (
            ints[NODE] * tokens,
            ints[NODE][going] * tokens + ints[PHONE][going],
            grown.node[inner] * tokens + grown.phone[inner],
            grown.phone[words.grown],
        )
    )
    scores = np.concatenate((stay, again, grown.score[inner], words.score))
    ranks = np.concatenate(
        (
            stay + look,
            again + look[going],
            grown.score[inner] + net.below[grown.node[inner]],
            words.score,
        )
    )
    lm_state = ints[LM_STATE][source]
    words_hash = ints[WORDS_HASH][source]
    if len(ended):
        lm_state[-len(ended) :] = words.lm_state
        words_hash[-len(ended) :] = mix(words_hash[-len(ended) :], words.word + 1)
    owner = stream[source]
    np.maximum.at(best, owner[len(source) - len(ended) :], words.score)
    kept = np.flatnonzero(ranks >= (best - net.knobs.beam)[owner])
    kept = kept[
        distinct(
            owner[kept],
            place[kept],
            lm_state[kept],
            words_hash[kept],
            ranks[kept],
            net.knobs.histories,
        )
    ]
    kept = narrow(kept, owner[kept], ranks[kept], net.knobs.width, len(rows))

    # Their columns.
    source, owner = source[kept], owner[kept]
    log_prob = np.concatenate(
        (stay_log_prob, again_log_prob, grown.log_prob[inner], grown.log_prob[words.grown])
    )[kept]
    new_ints, new_floats = ints[:, source], floats[:, source]
    new_ints[NODE], last = np.divmod(place[kept], tokens)
    new_ints[BLANK] = last == 0
    new_ints[LM_STATE], new_ints[WORDS_HASH] = lm_state[kept], words_hash[kept]
    new_floats[SCORE] = scores[kept]
    new_floats[ACOUSTIC] += log_prob

    first_again = len(stream)
    first_grown = first_again + len(going)
    first_word = first_grown + len(inner)
    repeated = np.flatnonzero((kept >= first_again) & (kept < first_grown))
    new_ints[END, repeated] = frames[owner[repeated]]
    new_floats[PEAK, repeated] = np.maximum(new_floats[PEAK, repeated], log_prob[repeated])

    longer = np.flatnonzero(kept >= first_grown)
    left = source[longer]
    before = np.zeros(len(stream), bool)
    before[left] = True
    before &= ints[ONSET] >= 0
    parents = np.flatnonzero(before)
    number = np.full(len(stream), -1)
    number[parents] = next_entry + np.arange(len(parents))
    entries = Trace(ints[TRACE:, parents], floats[ACOUSTIC:, parents])

    new_ints[TRACE, longer] = number[left]
    new_ints[PHONE, longer] = last[longer]
    new_ints[WORD, longer] = -1
    new_ints[ONSET, longer] = new_ints[END, longer] = frames[owner[longer]]
    new_floats[PEAK, longer] = log_prob[longer]
    new_floats[LM_SCORE, longer] = 0.0
    whole = np.flatnonzero(kept >= first_word)
    new_ints[WORD, whole] = words.word[kept[whole] - first_word]
    new_floats[LM_SCORE, whole] = words.lm_score[kept[whole] - first_word]
    return Hypotheses(new_ints, new_floats), owner, entries, stream[parents]


def _grow(net: Network, hypotheses: Hypotheses, stream: Ints, rows: Floats) -> _Grown:
    """Return what a phone above the floor can lengthen; after the same phone it needs a blank."""
    ints, floats = hypotheses
    node = ints[NODE]
    inner, root = np.flatnonzero(node), np.flatnonzero(node == 0)
    count = net.child_count[node[inner]]
    below = net.tree.children[_ranges(net.tree.first_child[node[inner]], count)]
    # The root has a child for nearly every phone; only those of the frame's likely phones count.
    owner, likely = np.nonzero(rows[:, net.root_phones] > net.floor)
    per_stream = np.bincount(owner, minlength=len(rows))
    root_count = per_stream[stream[root]]
    root_first = (np.cumsum(per_stream) - per_stream)[stream[root]]
    first = net.root_children[likely[_ranges(root_first, root_count)]]

    source = np.concatenate((np.repeat(inner, count), np.repeat(root, root_count)))
    child = np.concatenate((below, first))
    phone = net.tree.phone[child]
    log_prob = rows.ravel()[stream[source] * net.tokens + phone]
    possible = np.flatnonzero(
        (log_prob > net.floor) & ((phone != ints[PHONE][source]) | (ints[BLANK][source] > 0))
    )
    source, log_prob = source[possible], log_prob[possible]
    score = floats[SCORE][source] + log_prob
    return _Grown(source, child[possible], phone[possible], log_prob, score)


def _complete(net: Network, grown: _Grown, lm_state: Ints) -> _Words:
    """Return the words that end at the nodes just reached."""
    count = net.word_count[grown.node]
    index = np.repeat(np.arange(len(count)), count)
    word = net.tree.words[_ranges(net.tree.first_word[grown.node], count)]
    state = lm_state[grown.source[index]]
    lm_score = np.zeros(len(word))
    if net.model and len(word):
        scored, state = net.model.score(state, word)
        lm_score = scored.astype(np.float64)
    gain = net.knobs.language_weight * lm_score + net.knobs.word_bonus
    return _Words(index, word, lm_score, state, grown.score[index] + gain)


def _ranges(first: Ints, count: Ints) -> Ints:
    """Return ``first[i], first[i] + 1, ...``, ``count[i]`` of them, one range after the other."""
    behind = np.cumsum(count)
    total = int(behind[-1]) if len(behind) else 0
    return np.repeat(first - behind + count, count) + np.arange(total)
