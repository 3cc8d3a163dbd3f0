"""One frame of the graph search, for the tokens of many streams."""

from __future__ import annotations

import numpy as np

from asr_gru.decoding.graph_parameters import GraphSearchParameters
from asr_gru.decoding.graph_state import (
    ACOUSTIC,
    BLANK,
    END,
    NODE,
    ONSET,
    PEAK,
    SCORE,
    WORD,
    CompletedPhone,
    Tokens,
)
from asr_gru.decoding.phone_graph import PhoneGraph
from asr_gru.decoding.tree_network import ranges
from asr_gru.decoding.tree_state import Floats, Ints

__all__ = ["step", "step_other"]


def step_other(other: Floats, rows: Floats, penalty: float) -> Floats:
    """Advance the phone loop, which models other speech, by one frame.

    Args:
        other: ``(streams, tokens)`` best score by newest phone; column 0 is that of a blank end.
        rows: ``(streams, tokens)`` log-probabilities.
        penalty: cost per phone, in nats.
    """
    phones = other[:, 1:]
    newest = phones.argmax(axis=1)
    stream = np.arange(len(other))
    top = phones[stream, newest]
    others = phones.copy()
    others[stream, newest] = -np.inf
    entered = np.broadcast_to(top[:, None], phones.shape).copy()
    entered[stream, newest] = others.max(axis=1)
    entered = np.maximum(entered, other[:, :1]) - penalty
    after = np.empty_like(other)
    after[:, 0] = rows[:, 0] + np.maximum(other[:, 0], top)
    after[:, 1:] = rows[:, 1:] + np.maximum(phones, entered)
    return after


def step(
    graph: PhoneGraph,
    parameters: GraphSearchParameters,
    tokens: Tokens,
    stream: Ints,
    rows: Floats,
    frames: Ints,
    rival: Floats,
) -> tuple[Tokens, Ints]:
    """Advance each stream by one frame.

    Args:
        graph: the search graph.
        parameters: parameters of the search.
        tokens: tokens of all streams.
        stream: ``(n,)`` stream of each token; ascending.
        rows: ``(streams, tokens)``, with the blank bias applied.
        frames: ``(streams,)`` index of the frame in each stream.
        rival: ``(streams,)`` best score of the phone loop after this frame.

    Returns:
        tokens and their streams.
    """
    ints, floats, history = tokens
    node, score = ints[NODE], floats[SCORE]
    phone = graph.phone[node]

    # Stay at the node: a blank (between words also a stray phone), or the phone again.
    idle = np.maximum(rows[:, 0], rows[:, 1:].max(axis=1) - parameters.stray)
    stay_log_prob = np.where(graph.between_words[node], idle[stream], rows[stream, 0])
    in_phone = np.flatnonzero(ints[BLANK] == 0)
    repeat_log_prob = rows[stream[in_phone], phone[in_phone]]

    # Follow an arc; a repeated phone needs a blank before it.
    count = graph.first_arc[node + 1] - graph.first_arc[node]
    source = np.repeat(np.arange(len(node)), count)
    arc = ranges(graph.first_arc[node], count)
    target = graph.target[arc]
    next_phone = graph.phone[target]
    possible = np.flatnonzero((next_phone != phone[source]) | (ints[BLANK][source] > 0))
    source, arc, target = source[possible], arc[possible], target[possible]
    arc_log_prob = rows[stream[source], next_phone[possible]]

    origin = np.concatenate((np.arange(len(node)), in_phone, source))
    position = np.concatenate((2 * node + 1, 2 * node[in_phone], 2 * target))
    log_prob = np.concatenate((stay_log_prob, repeat_log_prob, arc_log_prob))
    scores = score[origin] + log_prob
    first_arc = len(node) + len(in_phone)
    scores[first_arc:] += graph.weight[arc]
    owner = stream[origin]
    best = rival.copy()
    np.maximum.at(best, owner, scores)
    near = np.flatnonzero(scores >= (best - parameters.beam)[owner])

    # Keep the best token at each node and kind of path end.
    key = owner[near] * (2 * len(graph)) + position[near]
    order = np.lexsort((-scores[near], key))
    key = key[order]
    is_first = np.ones(len(key), bool)
    is_first[1:] = key[1:] != key[:-1]
    kept = near[order[is_first]]
    kept = _narrow(kept, owner[kept], scores[kept], parameters.width, len(rows))

    # Columns of the kept tokens.
    source, owner, log_prob = origin[kept], owner[kept], log_prob[kept]
    new_ints, new_floats, new_history = ints[:, source], floats[:, source], history[source]
    new_ints[NODE], new_ints[BLANK] = position[kept] >> 1, position[kept] & 1
    new_floats[SCORE] = scores[kept]
    new_floats[ACOUSTIC] += log_prob
    repeated = np.flatnonzero((kept >= len(node)) & (kept < first_arc))
    new_ints[END, repeated] = frames[owner[repeated]]
    new_floats[PEAK, repeated] = np.maximum(new_floats[PEAK, repeated], log_prob[repeated])
    extended = np.flatnonzero(kept >= first_arc)
    if len(extended):
        new_history[extended] = _complete(tokens, source[extended])
        new_ints[WORD, extended] = graph.word[arc[kept[extended] - first_arc]]
        new_ints[ONSET, extended] = new_ints[END, extended] = frames[owner[extended]]
        new_floats[PEAK, extended] = log_prob[extended]
    return Tokens(new_ints, new_floats, new_history), owner


def _complete(tokens: Tokens, parents: Ints) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Return the newest phones of tokens that follow an arc, as completed phones."""
    distinct, inverse = np.unique(parents, return_inverse=True)
    columns = zip(
        tokens.history[distinct].tolist(),
        tokens.ints[:, distinct].T.tolist(),
        tokens.floats[:, distinct].T.tolist(),
        strict=True,
    )
    completed = np.empty(len(distinct), object)
    for index, (before, ints, floats) in enumerate(columns):
        if ints[ONSET] >= 0:
            completed[index] = CompletedPhone(before, tuple(ints), tuple(floats))
    return completed[inverse.ravel()]


def _narrow(kept: Ints, owner: Ints, scores: Floats, width: int, streams: int) -> Ints:
    """Return the ``width`` best of each stream; ties with the last of them are kept."""
    if len(kept) <= width:
        return kept
    ends = np.searchsorted(owner, np.arange(streams + 1))
    limit = np.full(streams, -np.inf)
    for stream in np.flatnonzero(np.diff(ends) > width).tolist():
        own = scores[ends[stream] : ends[stream + 1]]
        limit[stream] = np.partition(own, -width)[-width]
    return kept[scores >= limit[owner]]
