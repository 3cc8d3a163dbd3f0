"""Recombination and pruning: of all hypotheses of a frame, those that are worth keeping."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.tree_state import Floats, Ints

__all__ = ["distinct", "mix", "narrow"]

MIX = np.uint64(0xBF58476D1CE4E5B9)
"""A constant of splitmix64 (Steele, Lea, Flood 2014)."""
FEW = 1000
"""Number of hypotheses below which the number of array operations is what counts."""
HALF = np.uint64(32)
MOST = 2**63
Hashes = npt.NDArray[np.uint64]


def distinct(
    place: Ints, places: int, lm_state: Ints, words_hash: Ints, rank: Floats, histories: int
) -> Ints:
    """Return the best hypotheses of each place and language model state, in order of places.

    With several histories, the best of that many different word sequences; ties keep the first.

    Args:
        place: ``(n,)`` where each stands, of which stream and in the tree; not negative.
        places: upper bound of ``place``.
        lm_state: ``(n,)`` state of its language model.
        words_hash: ``(n,)`` hash of its words.
        rank: ``(n,)`` how they compare.
        histories: number of word sequences kept per place and state.
    """
    key = _pair(place, places, lm_state)
    if histories == 1:
        return _best_of_groups(key, rank)
    order = np.lexsort((-rank, words_hash, key))
    best = order[_begins(key.take(order)) | _begins(words_hash.take(order))]
    order = best.take(np.lexsort((best, -rank.take(best), key.take(best))))
    (starts,) = _begins(key.take(order)).nonzero()
    sizes = np.diff(starts, append=len(order))
    return order[np.arange(len(order)) - starts.repeat(sizes) < histories]


def narrow(kept: Ints, owner: Ints, rank: Floats, width: int, streams: int) -> Ints:
    """Return the ``width`` best of each stream; ties with the last of them are kept.

    Args:
        kept: ``(m,)`` which are still there, stream by stream.
        owner: ``(n,)`` whose each is.
        rank: ``(n,)`` how they compare.
        width: most of a stream, but for ties.
        streams: number of streams.
    """
    if len(kept) <= width:
        return kept
    rank = rank.take(kept)
    if streams == 1:
        return kept[rank >= _last_of(rank, width)]
    owner = owner.take(kept)
    ends = owner.searchsorted(np.arange(streams + 1))
    limit = np.full(streams, -np.inf)
    for stream in (np.diff(ends) > width).nonzero()[0].tolist():
        limit[stream] = _last_of(rank[ends[stream] : ends[stream + 1]], width)
    return kept[rank >= limit.take(owner)]


def mix(a: Ints, b: Ints) -> Ints:
    """Return a hash of each pair; ``b`` is small and not negative."""
    mixed: Hashes = (a ^ b).view(np.uint64) * MIX
    mixed ^= mixed >> HALF
    hashed: Ints = mixed.view(np.int64)
    return hashed


def _pair(place: Ints, places: int, lm_state: Ints) -> Ints:
    """Return one number for each pair, in the order of pairs."""
    unsigned = lm_state.view(np.uint64)  # a negative state is a huge one
    high = unsigned.item(unsigned.argmax())
    if places * (high + 1) > MOST:
        lm_state = np.unique(lm_state, return_inverse=True)[1]
        high = len(lm_state)
    return place * (high + 1) + lm_state


def _best_of_groups(key: Ints, rank: Floats) -> Ints:
    """Return the first of the best of each group of equal keys, in their order."""
    if len(key) < FEW:  # fewer operations, but a slower one
        order = np.lexsort((-rank, key))
        return order[_begins(key.take(order))]
    order = key.argsort()
    begins = _begins(key.take(order))
    (starts,) = begins.nonzero()
    if len(starts) == len(order):
        return order
    ordered = rank.take(order)
    top = np.maximum.reduceat(ordered, starts).take(begins.cumsum() - 1)
    return np.minimum.reduceat(np.where(ordered == top, order, len(order)), starts)


def _begins(ordered: Ints) -> npt.NDArray[np.bool_]:
    """Return where groups of equal numbers begin."""
    begins = np.empty(len(ordered), bool)
    begins[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return begins


def _last_of(rank: Floats, width: int) -> float:
    return float(np.partition(rank, len(rank) - width)[len(rank) - width])
