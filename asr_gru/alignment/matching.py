"""Runs of words that two texts share, in order: anchors for the alignment of long recordings.

Sequences of words that occur once in either text are matched, the longest chain of them that
rises in both is kept, and what lies between is matched again, where more is unique: patience
sorting as in Bram Cohen's difference algorithm. Time and memory are linear but for the chain,
which takes ``n log n``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

__all__ = ["match_words"]

LONGEST, SHORTEST = 4, 2
"""Words of the sequences that are matched: first of the longest, then of shorter ones between."""
NEAR = 200
"""The shortest sequences count only between anchors so many words apart at most."""


def match_words(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of places at which both have the same word, rising in both."""
    pairs: list[tuple[int, int]] = []
    open_ = [(0, len(one), 0, len(other), LONGEST)]
    while open_:
        low, high, begin, behind, length = open_.pop()
        if min(high - low, behind - begin) < SHORTEST:
            continue
        chain = list(_chain(one, other, (low, high, begin, behind), length))
        if not chain:
            shorter = length - 1
            is_near = shorter > SHORTEST or max(high - low, behind - begin) <= NEAR
            if shorter >= SHORTEST and is_near:
                open_.append((low, high, begin, behind, shorter))
            continue
        pairs += chain
        at, to = low, begin
        for first, second in [*chain, (high, behind)]:
            if (first, second) != (at, to):
                open_.append((at, first, to, second, length))
            at, to = first + 1, second + 1
    return sorted(pairs)


def _chain(
    one: Sequence[str], other: Sequence[str], span: tuple[int, int, int, int], length: int
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of words within the longest rising chain of unique sequences."""
    low, high, begin, behind = span
    first = _unique(one, low, high, length)
    second = _unique(other, begin, behind, length)
    found = sorted((place, second[words]) for words, place in first.items() if words in second)
    tails: list[int] = []
    tail_of: list[int] = []
    before = [-1] * len(found)
    for number, (_, place) in enumerate(found):
        at = bisect_left(tails, place)
        before[number] = tail_of[at - 1] if at else -1
        tails[at : at + 1] = [place]
        tail_of[at : at + 1] = [number]
    chain = []
    number = tail_of[-1] if tail_of else -1
    while number >= 0:
        chain.append(found[number])
        number = before[number]
    at, to = low, begin
    for place, match in reversed(chain):
        for step in range(length):
            if place + step >= at and match + step >= to:
                yield place + step, match + step
                at, to = place + step + 1, match + step + 1


def _unique(words: Sequence[str], low: int, high: int, length: int) -> dict[tuple[str, ...], int]:
    """Return the place of each sequence that occurs once."""
    places: dict[tuple[str, ...], int] = {}
    for place in range(low, high - length + 1):
        sequence = tuple(words[place : place + length])
        places[sequence] = -1 if sequence in places else place
    return {sequence: place for sequence, place in places.items() if place >= 0}
