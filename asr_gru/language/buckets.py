"""Buckets of the words that can follow a frequent context, to shorten the search for one of them.

A few thousand contexts ("the", "of the") have most of the n-grams. The vocabulary is cut into
ranges of equal size for each of these contexts, more ranges the more words follow it, and the words
of a range are found without a search.
"""

from __future__ import annotations

import numpy as np

from asr_gru.language.arrays import Array
from asr_gru.language.ngrams import Ints

__all__ = ["Buckets"]

MANY = 128
"""Contexts with fewer following words have no buckets."""
PER_BUCKET = 8
"""Mean number of words in a bucket, at most."""


class Buckets:
    """Buckets of all contexts that have many following words.

    Args:
        first: ``(contexts + 1,)`` start of the words of each context in ``last``, and the end.
        last: words, in ascending order for each context.
        words: size of the vocabulary.
    """

    def __init__(self, first: Ints, last: Array, words: int) -> None:
        word_bits = max(1, (words - 1).bit_length())
        counts = np.diff(first)
        (self._contexts,) = (counts >= MANY).nonzero()
        buckets = (counts.take(self._contexts) - 1) // PER_BUCKET
        bits = np.minimum(np.frexp(buckets.astype(np.float64))[1], word_bits)
        self._shifts = word_bits - bits.astype(np.int64)
        sizes = (1 << bits.astype(np.int64)) + 1
        self._starts = sizes.cumsum() - sizes
        limits = {
            shift: np.arange(0, (1 << word_bits) + 1, 1 << shift)
            for shift in set(self._shifts.tolist())
        }
        self._bounds = np.empty(int(sizes.sum()), first.dtype)
        begins, ends = first.take(self._contexts).tolist(), first.take(self._contexts + 1).tolist()
        for begin, end, shift, start in zip(
            begins, ends, self._shifts.tolist(), self._starts.tolist(), strict=True
        ):
            limit = limits[shift]
            places = last[begin:end].searchsorted(limit)
            np.add(places, begin, out=self._bounds[start : start + len(limit)], casting="unsafe")

    def narrow(self, contexts: Ints, words: Ints, first: Ints, end: Ints) -> None:
        """Narrow ranges in which words are searched to their buckets, in place.

        Args:
            contexts: ``(..., n)``.
            words: ``(n,)``.
            first: ``(..., n)`` start of the words of each context.
            end: ``(..., n)`` their end.
        """
        (many,) = (end - first >= MANY).ravel().nonzero()
        if len(many):
            row = self._contexts.searchsorted(contexts.take(many))
            bucket = words.take(many, mode="wrap") >> self._shifts.take(row)
            bucket += self._starts.take(row)
            first.put(many, self._bounds.take(bucket))
            end.put(many, self._bounds.take(bucket + 1))
