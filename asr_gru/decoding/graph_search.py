"""Search of a closed vocabulary (phrases or a grammar), with rejection of other speech.

Time-synchronous token passing (Young, Russell, Thornton 1989) over the frames of a CTC model: a
phone can be repeated, a blank can follow it, and two equal phones in succession need a blank
between them. The graph is finite, so one token is kept per node and kind of path end. In parallel
runs an anti-word model (Rose and Paul 1990): a loop over all phones with a cost per phone. An
utterance is either one sentence of the graph or, if the loop scores better, rejected.

The tokens of all streams are kept in the same flat arrays. Each operation involves single tokens or
the tokens of one stream, so the result of a stream does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from asr_gru.decoding.frame_search import FrameSearch
from asr_gru.decoding.graph_batch import GraphBatch
from asr_gru.decoding.graph_parameters import GraphSearchParameters
from asr_gru.decoding.graph_state import (
    ACOUSTIC,
    END,
    NODE,
    ONSET,
    PEAK,
    SCORE,
    WORD,
    GraphState,
    Tokens,
    start_tokens,
)
from asr_gru.decoding.phone_graph import PhoneGraph
from asr_gru.decoding.protocol import Hypothesis, WordScore, checksum
from asr_gru.errors import ModelError
from asr_gru.results import Match

__all__ = ["GraphSearch"]

Matcher = Callable[[Sequence[str]], Match | None]
"""Returns the match of the words of a sentence of the graph."""


class GraphSearch(FrameSearch[GraphState]):
    """Search of a finite graph, with rejection.

    A finished state has one hypothesis without words, which stands for speech that is not in the
    graph; it is the best one if the utterance is rejected.

    Args:
        graph: the search graph.
        tokens: columns of the log-probabilities; column 0 is the blank.
        matcher: returns ``Hypothesis.match`` for the words of a sentence.
        parameters: see ``GraphSearchParameters``.

    Raises:
        ModelError: the graph has phones that the model lacks.
    """

    whole_utterances = True

    def __init__(
        self,
        graph: PhoneGraph,
        tokens: int,
        matcher: Matcher | None = None,
        *,
        parameters: GraphSearchParameters | None = None,
    ) -> None:
        if int(graph.phone.max()) >= tokens:
            raise ModelError("the graph has phones that the acoustic model lacks")
        self.parameters = parameters or GraphSearchParameters()
        super().__init__(
            tokens,
            blank_skip=self.parameters.blank_skip,
            blank_bias=self.parameters.blank_bias,
            floor=self.parameters.phone_floor,
        )
        self.graph = graph
        self.matcher = matcher

    def tuned(self, parameters: GraphSearchParameters) -> GraphSearch:
        """Return a search of the same graph with these parameters."""
        return GraphSearch(self.graph, self._tokens, self.matcher, parameters=parameters)

    def start(self) -> GraphState:
        """Return the state before the first frame."""
        other = np.full(self._tokens, -np.inf)
        other[0] = 0.0
        return GraphState(0, start_tokens(), other)

    def _batch(self, states: Sequence[GraphState]) -> GraphBatch:
        return GraphBatch(self.graph, self.parameters, states)

    def best(self, state: GraphState, n: int = 1) -> list[Hypothesis]:
        """Return up to ``n`` different hypotheses, best first.

        One of them has no words: the utterance is silence or other speech.
        """
        scores = state.tokens.floats[SCORE] + state.blank_score
        rejected = float(state.other.max()) + state.blank_score
        found: list[Hypothesis] = []
        seen: set[tuple[Any, ...]] = set()
        rejection = Hypothesis((), (), rejected, token_log_probs=(), words=())
        for column in np.argsort(-scores, kind="stable").tolist():
            if len(found) == n:
                return found
            one = self._hypothesis(state, column, float(scores[column]))
            if scores[column] < rejected and () not in seen:
                seen.add(())
                found.append(rejection)
                if len(found) == n:
                    return found
            key = tuple(word.text for word in one.words or ()) if state.finished else one.tokens
            if key not in seen:
                seen.add(key)
                found.append(one)
        if () not in seen and len(found) < n:
            found.append(rejection)
        return found

    @cached_property
    def signature(self) -> tuple[int, int]:
        """The number of tokens and a checksum of the graph."""
        graph = self.graph
        return self._tokens, checksum(graph.words, graph.phone, graph.first_arc, graph.target)

    def settled(self, state: GraphState) -> int:  # noqa: ARG002
        """Return 0, as an utterance can be rejected until it ends."""
        return 0

    def finish(self, state: GraphState) -> GraphState:
        """Keep complete sentences of the graph. Idempotent."""
        if state.finished:
            return state
        final = self.graph.final[state.tokens.ints[NODE]]
        kept = np.flatnonzero(final > -np.inf)
        ints, floats, history = state.tokens.at(kept)
        floats = floats.copy()
        floats[SCORE] += state.blank_score + final[kept]
        floats[ACOUSTIC] += state.blank_score
        return replace(
            state,
            tokens=Tokens(ints, floats, history),
            other=state.other + state.blank_score,
            blank_score=0.0,
            after_blank=False,
            finished=True,
        )

    def _hypothesis(self, state: GraphState, column: int, log_prob: float) -> Hypothesis:
        tokens = state.tokens
        ints = [tuple(tokens.ints[:, column].tolist())]
        floats = [tuple(tokens.floats[:, column].tolist())]
        if ints[0][ONSET] < 0:
            ints, floats = [], []
        before = tokens.history[column]
        while before is not None:
            ints.append(before.ints)
            floats.append(before.floats)
            before = before.before
        ints.reverse()
        floats.reverse()
        words, start, last_acoustic, last_language = [], 0, 0.0, 0.0
        for index, (phone, scores) in enumerate(zip(ints, floats, strict=True)):
            if phone[WORD] >= 0:
                acoustic, language = scores[ACOUSTIC], scores[SCORE] - scores[ACOUSTIC]
                words.append(
                    WordScore(
                        self.graph.words[phone[WORD]],
                        start,
                        index + 1,
                        acoustic - last_acoustic,
                        language - last_language,
                    )
                )
                start, last_acoustic, last_language = index + 1, acoustic, language
        match = None
        if state.finished and self.matcher is not None:
            match = self.matcher([word.text for word in words])
        return Hypothesis(
            tuple([int(self.graph.phone[one[NODE]]) for one in ints]),
            tuple([one[ONSET] for one in ints]),
            log_prob,
            token_log_probs=tuple([one[PEAK] for one in floats]),
            ends=tuple([one[END] + 1 for one in ints]),
            words=tuple(words),
            match=match,
        )
