"""Recombination and pruning: of all hypotheses of a frame, those that are worth keeping."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.tree_state import Floats, Ints

__all__ = ["distinct", "mix", "narrow"]

MIX_A, MIX_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
"""Odd constants of splitmix64 (Steele, Lea, Flood 2014)."""
HALF, OWNER_BITS, OWNER_SHIFT = np.uint64(32), np.uint64(20), np.uint64(44)
Hashes = npt.NDArray[np.uint64]


def distinct(
    owner: Ints, place: Ints, lm_state: Ints, words_hash: Ints, rank: Floats, histories: int
) -> Ints:
    """Return which hypotheses are the best at their place and state, in the order of a hash.

    With several histories, so many of the best that differ in their words.
    """
    key = mix(mix(place, lm_state), place).view(np.uint64) >> OWNER_BITS
    key |= owner.view(np.uint64) << OWNER_SHIFT
    columns = [key, place.view(np.uint64), lm_state.view(np.uint64)]
    if histories == 1:
        return _best_of_groups(key, columns, rank)
    words = words_hash.view(np.uint64)
    apart = (mix(key.view(np.int64), words_hash).view(np.uint64) >> OWNER_BITS) | (
        owner.view(np.uint64) << OWNER_SHIFT
    )
    best = _best_of_groups(apart, [*columns, words], rank)
    order = best[np.lexsort((best, -rank[best], lm_state[best], place[best], key[best]))]
    starts = _group_starts([column[order] for column in columns])
    sizes = np.diff(starts, append=len(order))
    return order[np.arange(len(order)) - np.repeat(starts, sizes) < histories]


def _best_of_groups(key: Hashes, columns: list[Hashes], rank: Floats) -> Ints:
    """Return the first of the best of each group of equal columns, ordered by ``key``."""
    order = np.argsort(key)
    starts = _group_starts([column[order] for column in columns])
    ordered = rank[order]
    sizes = np.diff(starts, append=len(order))
    top = np.repeat(np.maximum.reduceat(ordered, starts), sizes)
    return np.minimum.reduceat(np.where(ordered == top, order, len(order)), starts)


def _group_starts(columns: list[Hashes]) -> Ints:
    differs = np.zeros(len(columns[0]), bool)
    differs[0] = True
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(differs)


def narrow(kept: Ints, owner: Ints, rank: Floats, width: int, streams: int) -> Ints:
    """Return the ``width`` best of each stream, and those that are as good as the last of them."""
    if len(kept) <= width:
        return kept
    ends = np.searchsorted(owner, np.arange(streams + 1))
    limit = np.full(streams, -np.inf)
    for stream in np.flatnonzero(np.diff(ends) > width).tolist():
        own = rank[ends[stream] : ends[stream + 1]]
        limit[stream] = np.partition(own, -width)[-width]
    return kept[rank >= limit[owner]]


def mix(a: Ints, b: Ints) -> Ints:
    """Return a hash of each pair."""
    mixed: Hashes = a.view(np.uint64) * MIX_A
    mixed ^= b.view(np.uint64) * MIX_B
    mixed ^= mixed >> HALF
    mixed *= MIX_B
    mixed ^= mixed >> HALF
    hashed: Ints = mixed.view(np.int64)
    return hashed
