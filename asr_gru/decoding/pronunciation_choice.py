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
BETWEEN_WORDS = -1
SKIPPED = 255
"""Marks a state between words that was reached by skipping the word before it."""


@dataclass(frozen=True, slots=True)
class AlignedWords:
    """The most probable pronunciations and alignment of a text.

    Attributes:
        chosen: index of the pronunciation of each word; -1 for a skipped word.
        tokens: tokens of the chosen pronunciations, one after the other.
        frames: for each of ``tokens``, the frame in which it is first emitted.
        ends: for each of ``tokens``, the frame after the last in which it is emitted.
        log_prob: log-probability of the path.
    """

    chosen: list[int]
    tokens: list[int]
    frames: list[int]
    ends: list[int]
    log_prob: float


@dataclass(frozen=True, slots=True)
class _Graph:
    """States of all paths: one before each word and at the end, tokens and blanks within.

    ``before`` lists the states that may precede each state, itself first, padded with itself.
    ``boundaries`` are the states before each word, and the one at the end.
    """

    labels: Ints
    words: Ints
    variants: Ints
    before: Ints
    first: Ints
    last: Ints
    boundaries: Ints


def align_words(
    log_probs: npt.NDArray[np.float32],
    words: Sequence[Sequence[Ids]],
    *,
    between: npt.NDArray[np.float32] | None = None,
    skip_costs: Sequence[float] | None = None,
    band: int | None = None,
) -> AlignedWords:
    """Find the most probable path through one pronunciation of each word.

    Args:
        log_probs: ``(frames, tokens)``.
        words: for each word its pronunciations, each one or more token ids without blanks.
        between: ``(frames,)`` log-probability of a frame between words; the blank's by default.
        skip_costs: cost of skipping each word, in nats; no word is skipped by default.
        band: maximum number of states per frame, around the straight line from the first
            to the last. Memory is ``frames * band`` bytes; by default, all states are considered.

    Raises:
        DataError: no choice of pronunciations fits into the frames.
    """
    frames = len(log_probs)
    if not words:
        silent = log_probs[:, BLANK] if between is None else between
        return AlignedWords([], [], [], [], float(silent.sum()))
    if not frames and skip_costs is not None:
        return AlignedWords([-1] * len(words), [], [], [], -float(sum(skip_costs)))
    graph = _build(words)
    emitted = np.concatenate(
        (log_probs, (log_probs[:, BLANK] if between is None else between)[:, None]), axis=1
    )
    labels = graph.labels.copy()
    labels[graph.boundaries] = log_probs.shape[1]
    skipping = None if skip_costs is None else np.concatenate(([0.0], np.cumsum(skip_costs)))
    count = len(labels)
    width = count if band is None else min(count, max(band, 1))
    lows = np.linspace(-width / 2, count - width / 2, frames).astype(np.int64)
    lows = np.clip(lows, 0, count - width)
    score = np.full(count, -np.inf)
    origin = np.zeros((frames, width), np.uint8)
    rows = np.arange(width)
    for t in range(frames):
        low = int(lows[t])
        inside = slice(low, low + width)
        if t == 0:
            score[graph.first] = emitted[0, labels[graph.first]]
            score[width:] = -np.inf
        else:
            moves = score[graph.before[inside]]
            best = moves.argmax(axis=1)
            origin[t] = best
            score[int(lows[t - 1]) : low] = -np.inf
            score[inside] = moves[rows, best] + emitted[t, labels[inside]]
        if skipping is not None:
            _skip(score, origin[t], graph.boundaries, skipping, low)
    state = int(graph.last[score[graph.last].argmax()]) if frames else 0
    log_prob = float(score[state])
    if not np.isfinite(log_prob):
        raise DataError(
            f"a text of {len(words)} words does not fit into {frames} frames; shorten the text"
        )
    path = []
    places = {int(boundary): place for place, boundary in enumerate(graph.boundaries)}
    for t in range(frames - 1, -1, -1):
        move = int(origin[t, state - lows[t]])
        while move == SKIPPED:
            state = int(graph.boundaries[places[state] - 1])
            move = int(origin[t, state - lows[t]])
        path.append(state)
        if t > 0:
            state = int(graph.before[state, move])
    return _read(graph, path[::-1], len(words), log_prob)


def _skip(
    score: npt.NDArray[np.float64],
    origin: npt.NDArray[np.uint8],
    boundaries: Ints,
    skipping: npt.NDArray[np.float64],
    low: int,
) -> None:
    """Let the states between words be reached from earlier ones in the same frame."""
    inside = slice(*np.searchsorted(boundaries, (low, low + len(origin))))
    states, costs = boundaries[inside], skipping[inside]
    reached = score[states] + costs
    best = np.maximum.accumulate(reached)
    better = best > reached
    score[states[better]] = (best - costs)[better]
    origin[states[better] - low] = SKIPPED


def _build(words: Sequence[Sequence[Ids]]) -> _Graph:
    labels, owners, variants = [BLANK], [BETWEEN_WORDS], [0]
    before: list[list[int]] = [[0]]
    boundaries, ends = [0], list[int]()
    first = [0]
    for number, pronunciations in enumerate(words):
        reached = []
        for variant, tokens in enumerate(pronunciations):
            for place, token in enumerate(tokens):
                state = len(labels)
                if place == 0:
                    into = [boundaries[-1], *(end for end in ends if labels[end] != token)]
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
        boundaries.append(len(labels))
        labels.append(BLANK)
        owners.append(BETWEEN_WORDS)
        variants.append(0)
        before.append([boundaries[-1], *ends])
    most = max(map(len, before))
    if most >= SKIPPED:
        raise DataError(f"a word with {most} pronunciations; remove some")
    padded = [row + row[:1] * (most - len(row)) for row in before]
    return _Graph(
        labels=np.array(labels),
        words=np.array(owners),
        variants=np.array(variants),
        before=np.array(padded),
        first=np.array(first),
        last=np.array([*ends, boundaries[-1]]),
        boundaries=np.array(boundaries),
    )


def _read(graph: _Graph, path: Sequence[int], count: int, log_prob: float) -> AlignedWords:
    chosen = [-1] * count
    tokens, frames, ends = [], [], list[int]()
    for t, state in enumerate(path):
        if graph.labels[state] == BLANK:
            continue
        if t > 0 and path[t - 1] == state:
            ends[-1] = t + 1
            continue
        chosen[int(graph.words[state])] = int(graph.variants[state])
        tokens.append(int(graph.labels[state]))
        frames.append(t)
        ends.append(t + 1)
    return AlignedWords(chosen, tokens, frames, ends, log_prob)
