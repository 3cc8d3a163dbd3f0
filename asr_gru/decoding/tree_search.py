"""Words from phones: beam search over a pronunciation tree under a language model.

Time-synchronous search with one copy of the tree for each state of the language model (Ney,
Haeb-Umbach, Tran, Oerder 1992; Ortmanns, Ney, Eiden 1996), over the frames of a CTC model: a
phone can be repeated, a blank can follow it, and two equal phones in succession need a blank
between them. A hypothesis is the best path (not the sum of paths) to a node, a newest phone and a
state of the language model. The language model scores a word when its last phone begins; until
then hypotheses are compared with the score of the best word below the node (look-ahead).

The hypotheses of all streams are kept in the same flat arrays. Each operation involves single
hypotheses or those of one stream, so the result of a stream does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from asr_gru.decoding.frame_search import FrameSearch
from asr_gru.decoding.hot_words import HotWords
from asr_gru.decoding.pronunciation_tree import PronunciationTree, best_words, look_ahead
from asr_gru.decoding.protocol import Hypothesis, PartialHypothesis, checksum
from asr_gru.decoding.tree_adopt import map_nodes, transfer
from asr_gru.decoding.tree_batch import TreeBatch
from asr_gru.decoding.tree_hot import extended, rare_log_prob
from asr_gru.decoding.tree_merge import mix
from asr_gru.decoding.tree_network import Network
from asr_gru.decoding.tree_parameters import TreeSearchParameters
from asr_gru.decoding.tree_share import log_likelihoods, most_likely
from asr_gru.decoding.tree_state import (
    ACOUSTIC,
    CHARGED,
    HOT_ROWS,
    LAST,
    LM_SCORE,
    LM_STATE,
    NODE,
    PHONE,
    PLAIN_ROWS,
    POSTERIOR,
    SCORE,
    T_WORD,
    WORD,
    WORDS_HASH,
    Floats,
    Hypotheses,
    Ints,
    Trace,
    TreeState,
)
from asr_gru.decoding.tree_traceback import trace_back
from asr_gru.decoding.word_model import WordModel
from asr_gru.errors import ModelError

__all__ = ["TreeSearch"]

MOST_PHONES = 2**31


class TreeSearch(FrameSearch[TreeState]):
    """Beam search for words.

    Args:
        tree: the pronunciations; word numbers are those of ``model``.
        words: the spelling of each word number.
        tokens: columns of the log-probabilities; column 0 is the blank.
        model: the language model; None for equal probabilities of all words.
        parameters: see ``TreeSearchParameters``.
        hot: hot words, which can include words that the tree lacks.

    Raises:
        ModelError: the arguments do not belong together.
    """

    def __init__(
        self,
        tree: PronunciationTree,
        words: Sequence[str],
        tokens: int,
        *,
        model: WordModel | None = None,
        parameters: TreeSearchParameters | None = None,
        hot: HotWords | None = None,
    ) -> None:
        if int(tree.phone.max()) >= tokens:
            raise ModelError("the lexicon has phones that the acoustic model lacks; build it again")
        if int(tree.words.max()) >= len(words):
            raise ModelError("the lexicon has more words than spellings; build it again")
        if model is not None and len(model.unigram_log_probs) < len(words):
            raise ModelError(
                f"the lexicon has {len(words)} words and the language model "
                f"{len(model.unigram_log_probs)}; take both from one vocabulary"
            )
        self.parameters = parameters or TreeSearchParameters()
        super().__init__(
            tokens, blank_skip=self.parameters.blank_skip, blank_bias=self.parameters.blank_bias
        )
        self.words = words
        self.hot = hot
        self._base = tree
        self._model = model
        unigrams = model.unigram_log_probs if model else np.zeros(len(words), np.float32)
        if hot is not None:
            rare = np.full(len(hot.extra), rare_log_prob(unigrams, tree.words), np.float32)
            tree = extended(tree, hot)
            unigrams = np.concatenate((unigrams[: len(words)], rare))
        self._tree = tree
        self._unigrams = unigrams
        self._best_words: Ints | None = None
        look = self.parameters.language_weight * look_ahead(tree, unigrams)
        self._net = Network(tree, model, self.parameters, tokens, look, unigrams, hot)

    def tuned(self, parameters: TreeSearchParameters) -> TreeSearch:
        """Return a search over the same words with these parameters."""
        return self._copy(parameters, self.hot)

    def with_hot_words(self, hot: HotWords | None) -> TreeSearch:
        """Return a search over the same words with these hot words instead of its own."""
        if hot is None:
            return self.plain
        search = self._copy(self.parameters, hot)
        search.plain = self.plain
        return search

    @cached_property
    def plain(self) -> TreeSearch:
        """The same search without hot words; itself if it has none."""
        return self if self.hot is None else self._copy(self.parameters, None)

    def _copy(self, parameters: TreeSearchParameters, hot: HotWords | None) -> TreeSearch:
        return TreeSearch(
            self._base,
            self.words,
            self._tokens,
            model=self._model,
            parameters=parameters,
            hot=hot,
        )

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each word of the tree, without additional hot words."""
        in_tree = np.zeros(len(self.words), bool)
        in_tree[self._base.words] = True
        return {
            word: n for n, (word, one) in enumerate(zip(self.words, in_tree, strict=True)) if one
        }

    @cached_property
    def shortest(self) -> Ints:
        """``(words,)`` phones of the shortest pronunciation of each word; 0 without any."""
        tree, shortest = self._base, np.full(len(self.words), MOST_PHONES)
        depth = tree.depth.repeat(np.diff(tree.first_word))
        np.minimum.at(shortest, tree.words, depth)
        shortest[shortest == MOST_PHONES] = 0
        return shortest

    def spelling(self, word: int, extra: Sequence[str] | None = None) -> str:
        """Return the spelling of a word; ``extra`` is that of a state, or of the hot words."""
        known = len(self.words)
        if word < known:
            return self.words[word]
        if extra is None:
            extra = self.hot.extra if self.hot else ()
        return extra[word - known]

    def start(self) -> TreeState:
        """Return the state before the first frame."""
        ints = np.full((9, 1), -1)
        ints[[NODE, LAST, WORDS_HASH, PHONE]] = 0
        ints[LM_STATE] = self._net.first_state()
        trace = Trace(np.zeros((5, 0), np.int64), np.zeros((4, 0)))
        extra = self.hot.extra if self.hot else ()
        rows = PLAIN_ROWS if self.hot is None else HOT_ROWS
        return TreeState(0, Hypotheses(ints, np.zeros((rows, 1))), trace, extra=extra)

    def adopt(self, state: TreeState, other: TreeSearch) -> TreeState:
        """Return a state of this search that continues a state of ``other``.

        The searches differ only in hot words. Advances for old phrases are taken back; words stay.
        """
        hypotheses = state.hypotheses
        node = map_nodes(hypotheses.ints[NODE], other._tree, self._tree, len(self._base))
        # No word of the new search goes on from a leaf, so nothing could follow there.
        node[np.isneginf(self._net.below.take(node))] = -1
        if node.max() < 0:  # all hypotheses are within words that the new search lacks
            hypotheses = other._completed(*hypotheses)
            node = hypotheses.ints[NODE]
        return transfer(
            replace(state, hypotheses=hypotheses), node, other.hot, self.hot, len(self.words)
        )

    def _batch(self, states: Sequence[TreeState]) -> TreeBatch:
        return TreeBatch(self._net, states)

    def best(self, state: TreeState, n: int = 1) -> list[Hypothesis]:
        """Return up to ``n`` hypotheses with different words, best first.

        Before ``finish``, the tokens of an incomplete word follow those of the last word.
        """
        ints, floats = state.hypotheses
        rank = floats[SCORE] + state.blank_score
        if not state.finished:
            rank = rank + self._net.below_of(state.hypotheses)
        if n == 1:
            column = int(rank.argmax())
            return [self._hypothesis(state, column, float(rank[column]))]
        found: list[Hypothesis] = []
        seen: set[int] = set()
        for column in np.argsort(-rank, kind="stable").tolist():
            words = int(ints[WORDS_HASH, column])
            if words not in seen:
                seen.add(words)
                found.append(self._hypothesis(state, column, float(rank[column])))
                if len(found) == n:
                    break
        return found

    def settled(self, state: TreeState) -> int:
        """Return the number of tokens that all hypotheses share, which cannot change any more."""
        return state.settled

    def partials(self, states: Sequence[TreeState]) -> list[PartialHypothesis]:
        """Return the most probable hypotheses, and how much of them reaches ``shown_share``.

        ``best`` differs where a word may still go on: there it counts the best of the longer ones.
        """
        likely = most_likely(states, self._net, self.parameters.shown_share)
        return [
            PartialHypothesis(self._hypothesis(state, column, score + state.blank_score), tokens)
            for state, (column, score, tokens) in zip(states, likely, strict=True)
        ]

    def reads_alike(self, before: TreeState, after: TreeState) -> bool:
        """Return whether only skipped frames are between the states."""
        return before.hypotheses is after.hypotheses

    def words_key(self, state: TreeState) -> tuple[int, int]:
        """Return the hash of the words of ``partials``, and how many words are settled."""
        column = log_likelihoods(state, self._net).argmax()
        settled = np.count_nonzero(state.trace.ints[T_WORD, : state.settled] >= 0)
        return int(state.hypotheses.ints[WORDS_HASH, column]), int(settled)

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """The tokens, checksum of the tree, size of the language model, and hot words."""
        tree, model, hot = self._tree, self._model, self.hot
        return (
            self._tokens,
            checksum(self.words, tree.phone, tree.parent, tree.words, self._unigrams),
            None if model is None else (model.start(), getattr(model, "counts", None)),
            None if hot is None else (hot.phrases, hot.extra),
        )

    def end_probability(self, state: TreeState) -> float | None:
        """Return the language model's probability of a sentence end.

        It is the mean over all hypotheses, weighted by their probability; those within a word
        count as 0.
        """
        if self._model is None or state.finished:
            return None
        ints, floats = state.hypotheses
        rank = floats[SCORE] + self._net.below_of(state.hypotheses)
        mass = np.exp(rank - rank.max())
        (whole,) = (ints[NODE] == 0).nonzero()
        ends = np.exp(self._net.end_log_probs(ints[LM_STATE].take(whole)))
        return float((mass.take(whole) * ends).sum() / mass.sum())

    def finish(self, state: TreeState) -> TreeState:
        """Score the sentence end, and drop hypotheses within a word.

        If all hypotheses are within a word, each is completed to the best word below its node. No
        frames can follow. Idempotent.
        """
        if state.finished:
            return state
        ints, floats = state.hypotheses
        kept = np.flatnonzero(ints[NODE] == 0)
        if len(kept):
            ints, floats = ints[:, kept], floats[:, kept]
        else:
            ints, floats = self._completed(ints, floats)
        floats[[SCORE, ACOUSTIC]] += state.blank_score
        floats[SCORE] += self._net.end(ints[LM_STATE], floats[-1])
        hypotheses = Hypotheses(ints, floats)
        return replace(
            state, hypotheses=hypotheses, blank_score=0.0, after_blank=False, finished=True
        )

    def _completed(self, ints: Ints, floats: Floats) -> Hypotheses:
        """Return hypotheses, each completed to the best word below its node."""
        if self._best_words is None:
            self._best_words = best_words(self._tree, self._unigrams)
        ints, floats = ints.copy(), floats.copy()
        words = self._best_words[ints[NODE]]
        scores, ints[LM_STATE], gain, charged = self._net.score(
            ints[LM_STATE], words, floats[-2], floats[-1]
        )
        if self.hot is not None:
            floats[CHARGED] = charged
        ints[WORD], ints[WORDS_HASH] = words, mix(ints[WORDS_HASH], words + 1)
        ints[NODE] = 0
        floats[LM_SCORE] = scores
        floats[SCORE] += gain
        floats[POSTERIOR] = -np.inf  # no frame has completed the word
        return Hypotheses(ints, floats)

    def _hypothesis(self, state: TreeState, column: int, log_prob: float) -> Hypothesis:
        return trace_back(state, column, log_prob, partial(self.spelling, extra=state.extra))
