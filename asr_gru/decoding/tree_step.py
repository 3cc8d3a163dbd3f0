"""One frame of the tree search, for the hypotheses of many streams."""

from __future__ import annotations

import numpy as np

from asr_gru.decoding.tree_grow import complete, grow
from asr_gru.decoding.tree_merge import distinct, mix, narrow
from asr_gru.decoding.tree_network import Network
from asr_gru.decoding.tree_state import (
    ACOUSTIC,
    BLANK,
    CHARGED,
    END,
    LM_SCORE,
    LM_STATE,
    NODE,
    ONSET,
    PEAK,
    PHONE,
    SCORE,
    SHORTFALL,
    TRACE,
    TRACED,
    WORD,
    WORDS_HASH,
    Floats,
    Hypotheses,
    Ints,
    Trace,
)

__all__ = ["step"]


def step(
    net: Network,
    hypotheses: Hypotheses,
    stream: Ints,
    rows: Floats,
    frames: Ints,
    next_entry: int,
) -> tuple[Hypotheses, Ints, Trace, Ints]:
    """Advance each stream by one frame.

    Args:
        net: the search network.
        hypotheses: hypotheses of all streams.
        stream: ``(n,)`` stream of each hypothesis.
        rows: ``(streams, tokens)``, with the blank bias applied.
        frames: ``(streams,)`` index of the frame in each stream.
        next_entry: index of the first new trace entry.

    Returns:
        hypotheses and their streams, new entries of the trace and their streams. The order of a
        stream's hypotheses does not depend on the others.
    """
    ints, floats = hypotheses
    count, tokens, alone = len(stream), net.tokens, len(rows) == 1
    score, node, phone = floats[SCORE], ints[NODE], ints[PHONE]
    flat, base = rows.ravel(), stream * tokens

    # Stay at the node: a blank, or the newest phone again.
    look = net.below_of(hypotheses)
    stay_log_prob, again_log_prob = flat.take(base), flat.take(base + phone)
    stay = score + stay_log_prob
    again = np.where(ints[BLANK], -np.inf, score + again_log_prob)

    # Extend by a phone, perhaps to the end of a word; prune against the best.
    grown = grow(net, hypotheses, rows, base, stream)
    best = np.full(len(rows), -np.inf)
    _raise(best, stream, stay + look)
    _raise(best, stream, again + look)
    owner = stream.take(grown.source)
    _raise(best, owner, grown.rank)
    limit = best - net.parameters.beam
    lm_state = ints[LM_STATE].take(grown.source) if net.hot else grown.node
    rank = grown.score + net.look_at(grown.node, lm_state, grown.shortfall)
    grown = grown.at((rank >= (limit if alone else limit.take(owner))).nonzero()[0])
    words = complete(net, grown, hypotheses)

    # All candidates, pruned against the best.
    source = np.concatenate(
        (np.arange(count), np.arange(count), grown.source, grown.source.take(words.grown))
    )
    owner = stream.take(source)
    first_grown = 2 * count
    first_word = first_grown + len(grown.node)
    ranks = np.concatenate((stay + look, again + look, grown.rank, words.score))
    _raise(best, owner[first_word:], words.score)
    limit = best - net.parameters.beam
    (near,) = (ranks >= (limit if alone else limit.take(owner))).nonzero()
    # Recombine hypotheses at the same place in the same state.
    here = node * tokens
    place = np.concatenate(
        (here, here + phone, grown.node * tokens + grown.phone, grown.phone.take(words.grown))
    ).take(near)
    source, owner, ranks = source.take(near), owner.take(near), ranks.take(near)
    lm_state, words_hash = ints[LM_STATE].take(source), ints[WORDS_HASH].take(source)
    behind = int(near.searchsorted(first_word))
    ended = near[behind:] - first_word
    lm_state[behind:] = words.lm_state.take(ended)
    words_hash[behind:] = mix(words_hash[behind:], words.word.take(ended) + 1)
    spread = place if alone else owner * net.places + place
    kept = distinct(spread, lm_state, words_hash, ranks, net.parameters.histories)
    kept = narrow(kept, owner, ranks, net.parameters.width, len(rows))
    kept.sort()

    # Columns of the kept hypotheses: staying, repeating, extended, at the end of a word.
    source, owner, origin = source.take(kept), owner.take(kept), near.take(kept)
    log_prob = np.concatenate(
        (stay_log_prob, again_log_prob, grown.log_prob, grown.log_prob.take(words.grown))
    ).take(origin)
    new_ints, new_floats = ints.take(source, axis=1), floats.take(source, axis=1)
    new_ints[NODE], last = np.divmod(place.take(kept), tokens)
    new_ints[BLANK] = last == 0
    new_ints[LM_STATE], new_ints[WORDS_HASH] = lm_state.take(kept), words_hash.take(kept)
    new_floats[SCORE] = np.concatenate((stay, again, grown.score, words.score)).take(origin)
    new_floats[ACOUSTIC] += log_prob

    repeated, longer, whole = origin.searchsorted((count, first_grown, first_word)).tolist()
    if net.hot is not None:
        new_floats[SHORTFALL] += rows.max(axis=1).take(owner) - log_prob
        new_floats[SHORTFALL, longer:] = np.concatenate(
            (grown.shortfall, grown.shortfall.take(words.grown))
        ).take(origin[longer:] - first_grown)
        new_floats[CHARGED, whole:] = words.charged.take(origin[whole:] - first_word)
    now = frames if alone else frames.take(owner[repeated:])
    new_ints[END, repeated:] = now
    np.maximum(
        new_floats[PEAK, repeated:longer],
        log_prob[repeated:longer],
        out=new_floats[PEAK, repeated:longer],
    )
    number, parents = _left_behind(ints, source[longer:], next_entry)
    new_ints[TRACE, longer:] = number
    new_ints[PHONE, longer:] = last[longer:]
    new_ints[WORD, longer:] = -1
    new_ints[ONSET, longer:] = new_ints[END, longer:]
    new_floats[PEAK, longer:] = log_prob[longer:]
    new_floats[LM_SCORE, longer:] = 0.0
    ended = origin[whole:] - first_word
    new_ints[WORD, whole:] = words.word.take(ended)
    new_floats[LM_SCORE, whole:] = words.lm_score.take(ended)
    entries = Trace(ints[TRACE:].take(parents, axis=1), floats[TRACED].take(parents, axis=1))
    return Hypotheses(new_ints, new_floats), owner, entries, stream.take(parents)


def _raise(best: Floats, owner: Ints, values: Floats) -> None:
    """Update the best score of each stream in place."""
    if len(best) > 1:
        np.maximum.at(best, owner, values)
    elif len(values):
        best[0] = max(best[0], values.max())


def _left_behind(ints: Ints, left: Ints, next_entry: int) -> tuple[Ints, Ints]:
    """Return the trace entry behind each hypothesis that grew, and whose newest phones these are.

    Hypotheses that grew from the same one share its entry; one without a phone leaves none.
    """
    number = np.full(ints.shape[1], -1)
    number[left] = 0
    (parents,) = ((number == 0) & (ints[ONSET] >= 0)).nonzero()
    number[left] = -1
    number[parents] = np.arange(next_entry, next_entry + len(parents))
    return number.take(left), parents
