"""One frame of the tree search, for the hypotheses of many streams."""

from __future__ import annotations

import numpy as np

from asr_gru.decoding.tree_candidates import (
    LOG_PROB,
    NEW_SCORE,
    NEW_SHORTFALL,
    RANK,
    SOURCE,
    Candidates,
    Frame,
    complete,
    grow,
    stay,
)
from asr_gru.decoding.tree_merge import distinct, mix, narrow
from asr_gru.decoding.tree_network import Network
from asr_gru.decoding.tree_state import (
    ACOUSTIC,
    CHARGED,
    END,
    LAST,
    LM_SCORE,
    LM_STATE,
    NODE,
    ONSET,
    PEAK,
    PHONE,
    POSTERIOR,
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
    alone = len(rows) == 1
    frame = Frame(net, hypotheses, stream, rows, alone)
    beam, best = net.parameters.beam, np.full(len(rows), -np.inf)

    # Candidates: first those that stay, then those that repeat, are extended, end a word. Of the
    # extended ones only those that may be near the best are completed to words.
    staying = stay(frame)
    _raise(best, stream, staying.floats[RANK])
    grown, look = grow(frame)
    owner = stream if alone else stream.take(grown.ints[SOURCE])
    _raise(best, owner, grown.floats[RANK])
    limit = best - beam
    grown = grown.at((look >= (limit if alone else limit.take(owner))).nonzero()[0])
    words = complete(frame, grown)
    kinds = (staying, grown, words.candidates)
    all_of = Candidates(
        np.concatenate([kind.ints for kind in kinds], axis=1),
        np.concatenate([kind.floats for kind in kinds], axis=1),
    )
    first_grown = staying.ints.shape[1]
    first_word = first_grown + grown.ints.shape[1]
    count = first_grown // 2

    # Prune against the best; recombine hypotheses at the same place in the same state.
    owner = stream if alone else stream.take(all_of.ints[SOURCE])
    _raise(best, owner[first_word:], words.candidates.floats[RANK])
    limit = best - beam
    ranks = all_of.floats[RANK]
    (near,) = (ranks >= (limit if alone else limit.take(owner))).nonzero()
    source, place = all_of.ints.take(near, axis=1)
    ranks = ranks.take(near)
    history = ints[LM_STATE : WORDS_HASH + 1].take(source, axis=1)
    first_ended = int(near.searchsorted(first_word))
    if first_ended < len(near):
        ended = near[first_ended:] - first_word
        history[0, first_ended:] = words.lm_state.take(ended)
        history[1, first_ended:] = mix(history[1, first_ended:], words.word.take(ended) + 1)
    spread, places = place, net.places
    if not alone:
        owner = owner.take(near)
        spread, places = owner * net.places + place, net.places * len(rows)
    kept = distinct(spread, places, history[0], history[1], ranks, net.parameters.histories)
    kept = narrow(kept, owner, ranks, net.parameters.width, len(rows))
    kept.sort()

    # Columns of the kept hypotheses.
    origin, source, place = near.take(kept), source.take(kept), place.take(kept)
    owner = np.zeros(len(kept), np.int64) if alone else owner.take(kept)
    values = all_of.floats.take(origin, axis=1)
    log_prob = values[LOG_PROB]
    new_ints, new_floats = ints.take(source, axis=1), floats.take(source, axis=1)
    np.right_shift(place, net.shift, out=new_ints[NODE])
    last = np.bitwise_and(place, net.mask, out=new_ints[LAST])
    history.take(kept, axis=1, out=new_ints[LM_STATE : WORDS_HASH + 1], mode="clip")
    new_floats[SCORE] = values[NEW_SCORE]
    new_floats[ACOUSTIC] += log_prob
    repeated, longer, whole = origin.searchsorted((count, first_grown, first_word)).tolist()
    if net.hot is not None:
        new_floats[SHORTFALL] = values[NEW_SHORTFALL]
        new_floats[CHARGED, whole:] = words.charged.take(origin[whole:] - first_word)
    new_ints[END, repeated:] = frames if alone else frames.take(owner[repeated:])
    peak = new_floats[PEAK, repeated:longer]
    np.maximum(peak, log_prob[repeated:longer], out=peak)
    number, parents = _trace_entries(ints, source[longer:], next_entry)
    new_ints[TRACE, longer:] = number
    new_ints[PHONE, longer:] = last[longer:]
    new_ints[WORD, longer:] = -1
    new_ints[ONSET, longer:] = new_ints[END, longer:]
    new_floats[PEAK, longer:] = log_prob[longer:]
    new_floats[LM_SCORE : POSTERIOR + 1, longer:] = 0.0
    ended = origin[whole:] - first_word
    new_ints[WORD, whole:] = words.word.take(ended)
    new_floats[LM_SCORE, whole:] = words.lm_score.take(ended)
    if len(ended):
        rank = ranks.take(kept) - (best if alone else best.take(owner))
        total = np.bincount(owner, np.exp(rank))  # adds in order, so equally in any batch
        new_floats[POSTERIOR, whole:] = rank[whole:] - np.log(total.take(owner[whole:]))
    entries = Trace(ints[TRACE:].take(parents, axis=1), floats[TRACED].take(parents, axis=1))
    return Hypotheses(new_ints, new_floats), owner, entries, stream.take(parents)


def _raise(best: Floats, owner: Ints, values: Floats) -> None:
    """Update the best score of each stream in place; ``owner`` may repeat itself."""
    if len(best) == 1:
        if len(values):
            best[0] = max(best.item(), values.item(values.argmax()))
        return
    if len(owner) < len(values):
        owner = np.concatenate((owner, owner))
    np.maximum.at(best, owner, values)


def _trace_entries(ints: Ints, left: Ints, next_entry: int) -> tuple[Ints, Ints]:
    """Return the trace entry of each extended hypothesis, and the hypotheses with these phones.

    Hypotheses that grew from the same one share its entry; one without a phone leaves none.
    """
    grew = np.zeros(ints.shape[1], bool)
    grew[left] = True
    grew &= ints[ONSET] >= 0
    (parents,) = grew.nonzero()
    number = np.empty(len(grew), np.int64)
    number.fill(-1)
    number[parents] = np.arange(next_entry, next_entry + len(parents))
    return number.take(left), parents
