"""Buckets of the words that follow each context, to shorten the search for one of them.

The vocabulary is cut into ranges of equal size, more ranges the more words follow a context, and a
word is searched in the few that follow the context and are in its range. Frequent contexts ("the",
"of the") have thousands of followers, so this saves most steps of a binary search.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from asr_gru.language.arrays import Array
from asr_gru.language.ngrams import Ints

__all__ = ["Buckets"]

PER_BUCKET = 4
"""Mean number of words in a bucket, at most."""
BLOCK = 1 << 17
"""N-grams that are sorted into buckets at a time."""


class Buckets:
    """Buckets of all contexts.

    Args:
        first: ``(contexts + 1,)`` start of the words of each context in ``last``, from 0, and the
            end.
        last: words, in ascending order for each context.
        words: size of the vocabulary.
    """

    def __init__(self, first: Ints, last: Array, words: int) -> None:
        self._word_bits = max(1, (words - 1).bit_length())
        counts = np.diff(first)
        (used,) = counts.nonzero()
        counts = counts.take(used)
        bits = np.frexp(((counts - 1) // PER_BUCKET).astype(np.float32))[1]
        bits = np.minimum(bits, self._word_bits).astype(np.uint8)
        shifts = (self._word_bits - bits).astype(np.uint8)
        sizes = (1 << bits.astype(np.int32)) + 1
        starts = (sizes.cumsum() - sizes).astype(np.int32)
        total = int(sizes.sum())
        # The bounds of a context are the words before it, and those up to the end of each bucket.
        bounds = np.zeros(total + 2, first.dtype)
        for some, block in _blocks(counts):
            place = last[block] >> shifts[some].repeat(counts[some])
            place = place + (starts[some] + 1).repeat(counts[some])
            low, high = int(starts[some.start]), int(place[-1]) + 1
            bounds[low:high] += np.bincount(place - low, minlength=high - low)
        np.cumsum(bounds[:total], out=bounds[:total])
        self._bounds = bounds
        # Contexts that no word follows share an empty bucket at the end.
        self._starts = np.full(len(first) - 1, total, np.int32)
        self._starts[used] = starts
        self._shifts = np.full(len(first) - 1, self._word_bits, np.uint8)
        self._shifts[used] = shifts

    def counts(self, contexts: slice) -> Ints:
        """Return how many words follow each of a range of contexts."""
        starts = self._starts[contexts]
        ends = starts + (1 << (self._word_bits - self._shifts[contexts].astype(np.int64)))
        counts: Ints = self._bounds.take(ends) - self._bounds.take(starts)
        return counts

    def of(self, contexts: Ints, words: Ints) -> tuple[Ints, Ints]:
        """Return where in ``last`` the bucket of each word begins and ends, ``(..., n)`` each.

        Args:
            contexts: ``(..., n)``.
            words: ``(n,)``.
        """
        bucket = words >> self._shifts.take(contexts)
        bucket += self._starts.take(contexts)
        begins = self._bounds.take(bucket)
        bucket += 1
        return begins, self._bounds.take(bucket)


def _blocks(counts: Ints) -> Iterator[tuple[slice, slice]]:
    """Yield ranges of contexts and of their words, so that work on them takes little memory."""
    ends = counts.cumsum(dtype=np.int64)
    first, begin = 0, 0
    while first < len(counts):
        stop = max(first + 1, int(ends.searchsorted(begin + BLOCK, side="right")))
        end = int(ends[stop - 1])
        yield slice(first, stop), slice(begin, end)
        first, begin = stop, end
