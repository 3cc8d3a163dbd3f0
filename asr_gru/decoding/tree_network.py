"""The search network of the tree search, with lookups for arrays of hypotheses."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.pronunciation_tree import shares_below
from asr_gru.decoding.tree_hot import HotLook, rare_log_prob
from asr_gru.decoding.tree_state import LM_STATE, NODE, SCORE, Floats, Hypotheses, Ints

if TYPE_CHECKING:
    from asr_gru.decoding.hot_words import HotWords
    from asr_gru.decoding.pronunciation_tree import PronunciationTree
    from asr_gru.decoding.tree_parameters import TreeSearchParameters
    from asr_gru.decoding.word_model import WordModel

__all__ = ["Network", "ranges"]


class Network:
    """The pronunciation tree, the language model, and tables derived from them.

    Attributes:
        tree: the pronunciations.
        model: the language model, or None.
        parameters: parameters of the search.
        tokens: columns of the log-probabilities.
        shift: a place is a node, shifted left by so many bits, plus the last token, 0 for a blank.
        mask: bit mask of the token of a place.
        places: upper bound of all places.
        look: ``(nodes,)`` weighted look-ahead of each node, words that end at it included.
        below: ``(nodes,)`` the same without these: what a hypothesis at the node may become;
            minus infinity for a leaf.
        first_child: ``(nodes,)`` where the children of each node begin in ``children``.
        child_count: ``(nodes,)`` children of each node.
        children: places of all nodes but the root, each with its own phone.
        word_count: ``(nodes,)`` words that end at each node.
        floor: log-probability below which no phone begins.
        weighted_pronunciations: whether the pronunciations of some word differ in probability.
        hot: the hot words, or None. With several states of them, a state of the language model
            times their number, plus their own state, stands in ``LM_STATE``.
    """

    def __init__(
        self,
        tree: PronunciationTree,
        model: WordModel | None,
        parameters: TreeSearchParameters,
        tokens: int,
        look: Floats,
        unigrams: npt.NDArray[np.float32],
        hot: HotWords | None = None,
    ) -> None:
        self.tree, self.model, self.parameters = tree, model, parameters
        self.tokens, self.look = tokens, look
        self.shift = (tokens - 1).bit_length()
        self.mask = (1 << self.shift) - 1
        self.places = len(tree) << self.shift
        self.below = np.full(len(tree), -np.inf)
        np.maximum.at(self.below, tree.parent[1:], look[1:])
        self.word_count = np.diff(tree.first_word)
        # Those of the root are listed once more at the end, where those of hot words join them.
        (of_root,) = (tree.parent == 0).nonzero()
        children = np.concatenate((tree.children, of_root))
        self.children = (children << self.shift) | tree.phone.take(children)
        self.first_child, self.child_count = tree.first_child[:-1].copy(), np.diff(tree.first_child)
        self.first_child[0], self.child_count[0] = len(tree.children), len(of_root)
        with np.errstate(divide="ignore"):
            self.floor = float(np.log(parameters.phone_floor))
        self.weighted_pronunciations = bool(tree.log_probs.any())
        self.hot = hot
        self._unigrams = unigrams
        self._hot_look: HotLook | None = None
        self._states = 1
        if hot is not None:
            self._states = hot.states
            word_look = parameters.language_weight * (unigrams - unigrams[tree.words].max())
            self._hot_look = HotLook(tree, hot, look, self.below, word_look)
            self._set_extra(hot)

    def _set_extra(self, hot: HotWords) -> None:
        """Find how much likelier the language model takes all unknown words than a rare one."""
        self._discount = 0.0
        if self.model is not None:
            unigrams, words = self.model.unigram_log_probs, self.tree.words
            rare = rare_log_prob(unigrams, words[words < hot.first])
            self._discount = min(0.0, rare - float(unigrams[self.model.unk]))

    def look_at(self, node: Ints, lm_state: Ints, shortfall: Floats) -> Floats:
        """Return the look-ahead of hypotheses that reach nodes, words that end there included.

        Without hot words only the nodes matter.
        """
        if self._hot_look is None:
            return self.look.take(node)
        return self._hot_look.look(node, lm_state, shortfall)

    def below_at(self, node: Ints, lm_state: Ints, shortfall: Floats) -> Floats:
        """Return what hypotheses at nodes may become, words that end there left out."""
        if self._hot_look is None:
            return self.below.take(node)
        return self._hot_look.below(node, lm_state, shortfall)

    def below_of(self, hypotheses: Hypotheses) -> Floats:
        """Return what hypotheses may become."""
        ints, floats = hypotheses
        return self.below_at(ints[NODE], ints[LM_STATE], floats[-2])

    @cached_property
    def _shares(self) -> Floats:
        """``(nodes,)``: see ``pronunciation_tree.shares_below``; only partials need them."""
        return shares_below(self.tree, self._unigrams, self.parameters.language_weight)

    def likelihood_of(self, hypotheses: Hypotheses) -> Floats:
        """Return log-likelihoods of hypotheses of unfinished sentences, for their probabilities.

        The look-ahead of a node is the score of its best word relative to the best of all words, so
        a hypothesis within a word has not yet been charged for that best word, while one that has
        completed a word has. Here the share of all words that is below the node takes its place.
        """
        ints, floats = hypotheses
        node = ints[NODE]
        found: Floats = floats[SCORE] + self._shares.take(node)
        if self._hot_look is not None:
            plain = self.below.take(node)
            raised = self.below_of(hypotheses)
            found += np.subtract(raised, plain, out=np.zeros(len(node)), where=plain > -np.inf)
        return found

    def score(
        self, lm_state: Ints, word: Ints, shortfall: Floats, charged: Floats
    ) -> tuple[Floats, Ints, Floats, Floats]:
        """Return what words score after their states, ``(n,)`` each.

        Args:
            lm_state: as in ``LM_STATE``.
            word: their numbers.
            shortfall: as in ``SHORTFALL``; only with hot words.
            charged: as in ``CHARGED``; only with hot words.

        Returns:
            log-probability of each by the language model, without any weight; the state after it;
            what it adds to the score of the hypothesis; what is charged after it.
        """
        hot_state: Ints | None = None
        if self._states > 1:
            lm_state, hot_state = np.divmod(lm_state, self._states)
        lm_score = np.zeros(len(word))
        if self.model is not None and len(word):
            extra = word >= self.hot.first if self.hot is not None else None
            known = word if extra is None else np.where(extra, self.model.unk, word)
            scored, lm_state = self.model.score(lm_state, known)
            lm_score = scored.astype(np.float64)
            if extra is not None:
                lm_score[extra] += self._discount
        gain = self.parameters.language_weight * lm_score + self.parameters.word_bonus
        if self.hot is not None:
            own = np.zeros(len(word), np.int64) if hot_state is None else hot_state
            if self.hot.caution:
                bonus, own, charged = self.hot.follow(
                    own, word, shortfall=shortfall, charged=charged
                )
            else:
                bonus, own, charged = self.hot.follow(own, word)
            gain += bonus
            lm_state = lm_state * self._states + own if self._states > 1 else lm_state
        return lm_score, lm_state, gain, charged

    def end(self, lm_state: Ints, charged: Floats) -> Floats:
        """Return what the end of the sentence adds to hypotheses; begun phrases earn nothing."""
        gain = np.zeros(len(lm_state))
        if self._states > 1 and self.hot is not None:
            gain += charged - self.hot.pending.take(lm_state % self._states)
        return gain + self.parameters.language_weight * self.end_log_probs(lm_state)

    def end_log_probs(self, lm_state: Ints) -> Floats:
        """Return the language model's log-probabilities of the end of the sentence."""
        if self.model is None:
            return np.zeros(len(lm_state))
        return self.model.end(lm_state // self._states).astype(np.float64)

    def first_state(self) -> int:
        """Return what stands in ``LM_STATE`` before the first word."""
        return self.model.start() * self._states if self.model is not None else 0


def ranges(first: Ints, count: Ints) -> Ints:
    """Return ``first[i], first[i] + 1, ...``, ``count[i]`` of them, one range after the other."""
    places: Ints = (first + count - count.cumsum()).repeat(count)
    places += np.arange(len(places))
    return places
