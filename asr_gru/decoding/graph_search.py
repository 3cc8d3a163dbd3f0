"""Closed phrases and grammars: one search of a finite graph, beside all other speech.

Time-synchronous token passing (Young, Russell, Thornton 1989) over the frames of a CTC model: a
phone goes on by itself, a blank may follow it, and the same phone again needs a blank between.
There is one token for each node and kind of end, since the graph is finite. Beside it runs an
anti-word model (Rose and Paul 1990): a loop over all phones, each at a price. An utterance as a
whole is one sentence of the graph, or, if the loop is better, none.

All tokens of all streams stand in the same flat arrays. Every operation works on each alone or
on those of one stream, so a stream's result does not depend on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from asr_gru.decoding.graph_knobs import GraphKnobs
from asr_gru.decoding.graph_state import (
    ACOUSTIC,
    BLANK,
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
from asr_gru.decoding.graph_step import step, step_other
from asr_gru.decoding.phone_graph import PhoneGraph
from asr_gru.decoding.protocol import Decoder, Hypothesis, LogProbs, WordScore
from asr_gru.decoding.tree_state import Floats, Ints
from asr_gru.errors import Error, ModelError
from asr_gru.results import Match

__all__ = ["GraphSearch"]

Matcher = Callable[[Sequence[str]], Match | None]
"""Tells of the words of a sentence of the graph what they mean."""


class _Work(NamedTuple):
    """A stream's frames that must be searched, and the certain blanks before each and at the end.

    Attributes:
        frames: number of each frame that is searched.
        rows: its log-probabilities, the bias taken off the blank.
        blanks: score of the certain blanks before each and after the last, and whether there are
            any.
        length: all frames.
    """

    frames: list[int]
    rows: list[Floats]
    blanks: list[tuple[float, bool]]
    length: int


class GraphSearch(Decoder[GraphState]):
    """Search of a finite graph, with rejection.

    A finished state has a reading without words for what is not in the graph; it stands first
    where the utterance was rejected.

    Args:
        graph: what can be said.
        tokens: columns of the log-probabilities; column 0 is the blank.
        matcher: makes ``Hypothesis.match`` of the words of a whole sentence.
        knobs: see ``GraphKnobs``.

    Raises:
        ModelError: the graph has phones that the model lacks.
    """

    whole_utterances = True

    def __init__(
        self,
        graph: PhoneGraph,
        tokens: int,
        matcher: Matcher | None = None,
        knobs: GraphKnobs | None = None,
    ) -> None:
        if int(graph.phone.max()) >= tokens:
            raise ModelError("the graph has phones that the acoustic model lacks")
        self.knobs = knobs or GraphKnobs()
        self.graph = graph
        self._tokens = tokens
        self._matcher = matcher
        self._skip = math.log(self.knobs.blank_skip)
        self._floor = math.log(self.knobs.phone_floor) if self.knobs.phone_floor else -math.inf

    def tuned(self, knobs: GraphKnobs) -> GraphSearch:
        """Return a search of the same graph with other knobs."""
        return GraphSearch(self.graph, self._tokens, self._matcher, knobs)

    def start(self) -> GraphState:
        """Return the state before the first frame."""
        other = np.full(self._tokens, -np.inf)
        other[0] = 0.0
        return GraphState(0, start_tokens(), other)

    def advance(
        self, states: Sequence[GraphState], log_probs: Sequence[LogProbs]
    ) -> list[GraphState]:
        """Take ``(frames, tokens)`` of each stream and return the states after them.

        Raises:
            Error: a state whose sentence is finished.
        """
        if not states:
            return []
        if any(state.finished for state in states):
            raise Error("this sentence is finished; begin another with start()")
        work = [self._work(s, rows) for s, rows in zip(states, log_probs, strict=True)]
        order = sorted(range(len(states)), key=lambda i: -len(work[i].frames))
        work = [work[i] for i in order]
        tokens, stream = _together([states[i].tokens for i in order])
        other = np.stack([states[i].other for i in order])
        done: list[tuple[Tokens, Floats]] = [(tokens, other[0])] * len(work)
        active = len(work)
        for number in range(len(work[0].frames) + 1):
            count = sum(len(one.frames) > number for one in work)
            ends = np.searchsorted(stream, np.arange(count, active + 1))
            for place in range(count, active):
                own = slice(int(ends[place - count]), int(ends[place - count + 1]))
                part = tokens.at(own)
                done[place] = (
                    Tokens(part.ints.copy(), part.floats.copy(), part.passed.copy()),
                    other[place].copy(),
                )
            if not count:
                break
            if count < active:
                rest = slice(0, int(ends[0]))
                tokens, stream, other = tokens.at(rest), stream[rest], other[:count]
                active = count
            tokens, other = _after_blanks(
                tokens, stream, other, [one.blanks[number] for one in work[:count]]
            )
            rows = np.stack([one.rows[number] for one in work[:count]])
            other = step_other(other, rows, self.knobs.rejection)
            if len(stream):
                frames = np.array([one.frames[number] for one in work[:count]])
                tokens, stream = step(
                    self.graph, self.knobs, tokens, stream, rows, frames, other.max(axis=1)
                )
        after: list[GraphState] = [states[0]] * len(states)
        for i, one, (own_tokens, own_other) in zip(order, work, done, strict=True):
            score, any_blank = one.blanks[-1]
            after[i] = GraphState(
                states[i].frame + one.length, own_tokens, own_other, score, any_blank
            )
        return after

    def best(self, state: GraphState, n: int = 1) -> list[Hypothesis]:
        """Return up to ``n`` readings that differ, the likeliest first.

        One of them has no words: the utterance is other speech, or silence.
        """
        scores = state.tokens.floats[SCORE] + state.blank_score
        rejected = float(state.other.max()) + state.blank_score
        found: list[Hypothesis] = []
        seen: set[tuple[Any, ...]] = set()
        nothing = Hypothesis((), (), rejected, (), (), ())
        for column in np.argsort(-scores, kind="stable").tolist():
            if len(found) == n:
                return found
            one = self._hypothesis(state, column, float(scores[column]))
            if scores[column] < rejected and () not in seen:
                seen.add(())
                found.append(nothing)
                if len(found) == n:
                    return found
            key = tuple(word.text for word in one.words or ()) if state.finished else one.tokens
            if key not in seen:
                seen.add(key)
                found.append(one)
        if () not in seen and len(found) < n:
            found.append(nothing)
        return found

    def settled(self, state: GraphState) -> int:  # noqa: ARG002
        """Return 0: until its end an utterance may still turn out to be other speech."""
        return 0

    def finish(self, state: GraphState) -> GraphState:
        """Keep what is a whole sentence of the graph. Finishing twice changes nothing."""
        if state.finished:
            return state
        final = self.graph.final[state.tokens.ints[NODE]]
        kept = np.flatnonzero(final > -np.inf)
        ints, floats, passed = state.tokens.at(kept)
        floats = floats.copy()
        floats[SCORE] += state.blank_score + final[kept]
        floats[ACOUSTIC] += state.blank_score
        return replace(
            state,
            tokens=Tokens(ints, floats, passed),
            other=state.other + state.blank_score,
            blank_score=0.0,
            after_blank=False,
            finished=True,
        )

    def _work(self, state: GraphState, log_probs: LogProbs) -> _Work:
        """Tell the frames that must be searched from those that are blank for certain."""
        if log_probs.ndim != 2 or log_probs.shape[1] != self._tokens:
            raise ModelError(
                f"log-probabilities of shape {log_probs.shape}; these phrases are for a model of "
                f"{self._tokens} tokens"
            )
        rows = log_probs.astype(np.float64)
        certain = (rows[:, 0] > self._skip).tolist()
        np.maximum(rows, self._floor, out=rows)
        rows[:, 0] -= self.knobs.blank_bias
        work = _Work([], [], [], len(rows))
        score, any_blank = state.blank_score, state.after_blank
        for number, (row, skip) in enumerate(zip(rows, certain, strict=True), state.frame):
            if skip:
                score, any_blank = score + float(row[0]), True
            else:
                work.frames.append(number)
                work.rows.append(row)
                work.blanks.append((score, any_blank))
                score, any_blank = 0.0, False
        work.blanks.append((score, any_blank))
        return work

    def _hypothesis(self, state: GraphState, column: int, log_prob: float) -> Hypothesis:
        tokens = state.tokens
        ints = [tuple(tokens.ints[:, column].tolist())]
        floats = [tuple(tokens.floats[:, column].tolist())]
        if ints[0][ONSET] < 0:
            ints, floats = [], []
        before = tokens.passed[column]
        while before is not None:
            ints.append(before.ints)
            floats.append(before.floats)
            before = before.before
        ints.reverse()
        floats.reverse()
        spoken, first, heard, weighed = [], 0, 0.0, 0.0
        for position, (whole, part) in enumerate(zip(ints, floats, strict=True)):
            if whole[WORD] >= 0:
                language = part[SCORE] - part[ACOUSTIC]
                spoken.append(
                    WordScore(
                        self.graph.words[whole[WORD]],
                        first,
                        position + 1,
                        part[ACOUSTIC] - heard,
                        language - weighed,
                    )
                )
                first, heard, weighed = position + 1, part[ACOUSTIC], language
        match = None
        if state.finished and self._matcher is not None:
            match = self._matcher([word.text for word in spoken])
        return Hypothesis(
            tuple([int(self.graph.phone[one[NODE]]) for one in ints]),
            tuple([one[ONSET] for one in ints]),
            log_prob,
            tuple([one[PEAK] for one in floats]),
            tuple([one[END] + 1 for one in ints]),
            tuple(spoken),
            match,
        )


def _together(parts: Sequence[Tokens]) -> tuple[Tokens, Ints]:
    """Put the tokens of streams side by side; also return whose each is."""
    stream = np.repeat(np.arange(len(parts)), [part.ints.shape[1] for part in parts])
    tokens = Tokens(
        np.concatenate([part.ints for part in parts], axis=1),
        np.concatenate([part.floats for part in parts], axis=1),
        np.concatenate([part.passed for part in parts]),
    )
    return tokens, stream


def _after_blanks(
    tokens: Tokens, stream: Ints, other: Floats, blanks: Sequence[tuple[float, bool]]
) -> tuple[Tokens, Floats]:
    """Add the certain blanks before a frame to all tokens and to other speech."""
    if not any(any_blank for _, any_blank in blanks):
        return tokens, other
    score = np.array([one for one, _ in blanks])
    after = np.array([any_blank for _, any_blank in blanks])
    ints, floats = tokens.ints.copy(), tokens.floats.copy()
    ints[BLANK] |= after[stream]
    floats[[SCORE, ACOUSTIC]] += score[stream]
    blank_only = np.full_like(other, -np.inf)
    blank_only[:, 0] = other.max(axis=1) + score
    return Tokens(ints, floats, tokens.passed), np.where(after[:, None], blank_only, other)
