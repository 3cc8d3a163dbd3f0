"""Forced alignment of words that have several pronunciations: Viterbi over CTC paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.alignment import BLANK
from asr_gru.errors import DataError

__all__ = ["AlignedWords", "align_words"]

Ids = tuple[int, ...]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AlignedWords:
    """The likeliest way to say a text.

    Attributes:
        chosen: for each word, which of its pronunciations.
        tokens: tokens of the chosen pronunciations, one after the other.
        frames: for each of ``tokens``, the frame in which it is first emitted.
        log_prob: of the path.
    """

    chosen: list[int]
    tokens: list[int]
    frames: list[int]
    log_prob: float


@dataclass(frozen=True, slots=True)
class _Graph:
    """States of all paths: a blank before each word and at the end, tokens and blanks within.

    ``before`` lists the states that may precede each state, padded with the state itself.
    """

    labels: Ints
    words: Ints
    variants: Ints
    before: Ints
    first: Ints
    last: Ints


def align_words(log_probs: npt.NDArray[np.float32], words: Sequence[Sequence[Ids]]) -> AlignedWords:
    """Find the likeliest path that spells one pronunciation of each word.

    Args:
        log_probs: ``(frames, tokens)``.
        words: for each word its pronunciations, each one or more token ids without blanks.

    Raises:
        DataError: no choice of pronunciations fits into the frames.
    """
    frames = len(log_probs)
    if not words:
        return AlignedWords([], [], [], float(log_probs[:, BLANK].sum()))
    graph = _build(words)
    score = np.full(len(graph.labels), -np.inf)
    origin = np.zeros((frames, len(graph.labels)), np.int64)
    for t in range(frames):
        if t == 0:
            score[graph.first] = log_probs[0, graph.labels[graph.first]]
            continue
        moves = score[graph.before]
        best = moves.argmax(axis=1)
        origin[t] = graph.before[np.arange(len(best)), best]
        score = moves[np.arange(len(best)), best] + log_probs[t, graph.labels]
    state = int(graph.last[score[graph.last].argmax()])
    log_prob = float(score[state])
    if not np.isfinite(log_prob):
        raise DataError(
            f"a text of {len(words)} words does not fit into {frames} frames; shorten the text"
        )
    path = [state]
    for t in range(frames - 1, 0, -1):
        path.append(int(origin[t, path[-1]]))
    return _read(graph, path[::-1], len(words), log_prob)


def _build(words: Sequence[Sequence[Ids]]) -> _Graph:
    labels, owners, variants = [BLANK], [-1], [0]
    before: list[list[int]] = [[0]]
    boundary, ends = 0, list[int]()
    first = [0]
    for number, pronunciations in enumerate(words):
        reached = []
        for variant, tokens in enumerate(pronunciations):
            for place, token in enumerate(tokens):
                state = len(labels)
                if place == 0:
                    into = [boundary, *(end for end in ends if labels[end] != token)]
                    if number == 0:
                        first.append(state)
                else:
                    into = [state - 1]
                    if tokens[place - 1] != token:
                        into.append(state - 2)
                labels.append(token)
                before.append([state, *into])
                if place + 1 < len(tokens):
                    labels.append(BLANK)
                    before.append([state + 1, state])
                added = len(labels) - state
                owners += [number] * added
                variants += [variant] * added
            reached.append(len(labels) - 1)
        ends = reached
        boundary = len(labels)
        labels.append(BLANK)
        owners.append(-1)
        variants.append(0)
        before.append([boundary, *ends])
    most = max(map(len, before))
    padded = [row + row[:1] * (most - len(row)) for row in before]
    return _Graph(
        labels=np.array(labels),
        words=np.array(owners),
        variants=np.array(variants),
        before=np.array(padded),
        first=np.array(first),
        last=np.array([*ends, boundary]),
    )


def _read(graph: _Graph, path: Sequence[int], count: int, log_prob: float) -> AlignedWords:
    chosen = [0] * count
    tokens, frames = [], []
    for t, state in enumerate(path):
        if graph.labels[state] == BLANK or (t > 0 and path[t - 1] == state):
            continue
        chosen[int(graph.words[state])] = int(graph.variants[state])
        tokens.append(int(graph.labels[state]))
        frames.append(t)
    return AlignedWords(chosen, tokens, frames, log_prob)
