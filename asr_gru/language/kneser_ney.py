"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999), by sorting keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru.language.backoff import BackoffModel, Doubles, Keys, ending
from asr_gru.language.corpus import BOS_ID, EOS_ID, Stream
from asr_gru.language.ngrams import Ints, find

__all__ = ["Estimate", "count_ngrams", "discounts", "kneser_ney"]

Counts = npt.NDArray[np.int32]
DEFAULT_DISCOUNTS = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A model of one text, with the counts that interpolation and pruning need.

    Attributes:
        model: the model.
        counts: counts of the n-grams of orders 2, 3, ...: occurrences in the highest order, numbers
            of distinct preceding words below.
        contexts: keys of contexts of 1, 2, ... words, and their numbers of occurrences.
        words: number of words of the text, including sentence ends.
    """

    model: BackoffModel
    counts: list[Counts]
    contexts: Sequence[tuple[Keys, npt.NDArray[Any]]]
    words: int


def kneser_ney(stream: Stream, vocabulary: int, order: int, bits: int) -> Estimate:
    """Estimate a model of a text.

    Args:
        stream: the text as word ids.
        vocabulary: size of the vocabulary, including the marks.
        order: order of the model.
        bits: number of bits of a word id in a key.
    """
    words = int(np.count_nonzero(stream != BOS_ID))
    counted = _continuations(stream, order, bits)
    keys, counts = counted[0]
    least = discounts(counts)[np.minimum(counts, 3)]
    unigrams = np.full(vocabulary, least.sum() / counts.sum() / (vocabulary - 1))
    unigrams[BOS_ID] = 0
    unigrams[keys.astype(np.int64)] += (counts - least) / counts.sum()
    model = BackoffModel(bits, unigrams, [], [])
    for n in range(2, order + 1):
        keys, counts = counted[n - 1]
        _add_order(model, keys, counts, n)
    if order == 1:
        contexts: list[tuple[Keys, Counts]] = []
    else:
        highest = counted[order - 1]
        followed = np.bincount(stream[stream != EOS_ID], minlength=vocabulary)
        contexts = [(np.arange(vocabulary, dtype=np.uint64), followed.astype(np.int32))]
        for n in range(2, order):
            longer = highest if n + 1 == order else count_ngrams(stream, n + 1, bits)
            starts, _ = _by_context(longer[0], bits)
            totals = np.add.reduceat(longer[1], starts) if len(starts) else longer[1]
            contexts.append((longer[0][starts] >> np.uint64(bits), totals))
    return Estimate(model, [counts for _, counts in counted[1:]], contexts, words)


def count_ngrams(stream: Stream, n: int, bits: int) -> tuple[Keys, Counts]:
    """Return the sorted n-grams within sentences, and their counts."""
    length = max(0, len(stream) - n + 1)
    keys = np.zeros(length, np.uint64)
    inside = np.ones(length, bool)
    for place in range(n):
        part = stream[place : place + length]
        np.left_shift(keys, np.uint64(bits), out=keys)
        np.bitwise_or(keys, part, out=keys)
        if place < n - 1:
            inside &= part != EOS_ID
    if n == 1:
        inside &= stream != BOS_ID
    keys = keys[inside]
    keys.sort()
    return _runs(keys)


def discounts(counts: npt.NDArray[Any]) -> Doubles:
    """Return the discounts of counts 0, 1, 2, and 3 or more, ``(4,)``.

    If a text is too small to estimate them, they are 0, 0.5, 1 and 1.5.
    """
    ones, twos, threes, fours = (int(np.count_nonzero(counts == n)) for n in (1, 2, 3, 4))
    if min(ones, twos, threes, fours) == 0:
        return np.array([0, *DEFAULT_DISCOUNTS])
    y = ones / (ones + 2 * twos)
    found = 1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes
    return np.array([0, *(min(max(d, 0.05), 0.95 * n) for n, d in enumerate(found, start=1))])


def _runs(keys: Keys) -> tuple[Keys, Counts]:
    first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    return keys[starts], np.diff(starts, append=len(keys)).astype(np.int32)


def _by_context(keys: Keys, bits: int) -> tuple[Ints, Ints]:
    """Return the start of each context in sorted keys, and the index of each key's context."""
    contexts = keys >> np.uint64(bits)
    first = np.ones(len(keys), bool)
    np.not_equal(contexts[1:], contexts[:-1], out=first[1:])
    return np.flatnonzero(first), np.cumsum(first) - 1


def _continuations(stream: Stream, order: int, bits: int) -> list[tuple[Keys, Counts]]:
    """Return n-grams of orders 1 to ``order`` with counts; those below ``order`` are continuations.

    N-grams that begin with ``<s>`` have no preceding word and keep their number of occurrences.
    """
    counted = [count_ngrams(stream, order, bits)]
    (begins,) = np.nonzero(stream == BOS_ID)
    for n in range(order - 1, 0, -1):
        lower = ending(counted[0][0], n, bits)
        lower.sort()
        keys, counts = _runs(lower)
        if n > 1:
            started = _started(stream, begins, n, bits)
            keys = np.concatenate([keys, started[0]])
            counts = np.concatenate([counts, started[1]])
            sort = np.argsort(keys)
            keys, counts = keys[sort], counts[sort]
        counted.insert(0, (keys, counts))
    return counted


def _started(stream: Stream, begins: Ints, n: int, bits: int) -> tuple[Keys, Counts]:
    """Return the n-grams at the beginning of sentences, and their counts."""
    begins = begins[begins + n <= len(stream)]
    keys = np.zeros(len(begins), np.uint64)
    inside = np.ones(len(begins), bool)
    for place in range(n):
        word = stream[begins + place]
        keys = (keys << np.uint64(bits)) | word
        if place < n - 1:
            inside &= word != EOS_ID
    keys = keys[inside]
    keys.sort()
    return _runs(keys)


def _add_order(model: BackoffModel, keys: Keys, counts: Counts, n: int) -> None:
    """Add an order: discounted counts, interpolated with the order below."""
    size = len(model.unigrams) if n == 2 else len(model.keys[-1])
    weights = np.ones(size, np.float32)
    model.backoffs.append(weights)
    below = model.prob(ending(keys, n - 1, model.bits), n - 1)
    taken = discounts(counts)[np.minimum(counts, 3)]
    starts, place = _by_context(keys, model.bits)
    if not len(keys):
        model.keys.append(keys)
        model.probs.append(np.zeros(0, np.float32))
        return
    totals = np.add.reduceat(counts, starts, dtype=np.int64)
    shared = np.add.reduceat(taken, starts) / totals
    below *= shared[place]
    below += (counts - taken) / totals[place]
    contexts = keys[starts] >> np.uint64(model.bits)
    weights[contexts.astype(np.int64) if n == 2 else find(model.keys[-1], contexts)] = shared
    model.keys.append(keys)
    model.probs.append(below.astype(np.float32))
