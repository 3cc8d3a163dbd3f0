"""Back-off models during estimation: n-grams as sorted 64-bit keys.

A key holds the word ids of an n-gram, the last in the lowest bits, so that a context is a shift,
a suffix is a mask, and counting is a sort.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from asr_gru.errors import ConfigError
from asr_gru.language.corpus import BOS_ID
from asr_gru.language.ngrams import IMPOSSIBLE, Level, NGrams, find

__all__ = [
    "BackoffModel",
    "Doubles",
    "Keys",
    "Margins",
    "ending",
    "key_bits",
    "normalise",
    "to_ngrams",
]

Keys = npt.NDArray[np.uint64]
Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

MIN_PROB = 1e-9
"""Smallest probability left for unlisted words; avoids division by zero."""


def key_bits(words: int, order: int) -> int:
    """Return the number of bits of a word id in a key.

    Raises:
        ConfigError: n-grams of this order do not fit 64 bits.
    """
    bits = max(2, (words - 1).bit_length())
    if bits * order > 64:
        raise ConfigError(
            f"order {order} with a vocabulary of {words} words; use at most order {64 // bits}, "
            f"or at most {1 << (64 // order)} words"
        )
    return bits


def ending(keys: Keys, n: int, bits: int) -> Keys:
    """Return the last ``n`` words of each key."""
    low: Keys = keys & np.uint64((1 << (bits * n)) - 1)
    return low


@dataclass(slots=True)
class BackoffModel:
    """Probabilities of listed n-grams, and back-off weights.

    Attributes:
        bits: number of bits of a word id in a key.
        unigrams: probability of each word, ``(words,)``.
        keys: sorted keys of the n-grams of orders 2, 3, ...
        probs: probability of the last word of each n-gram of orders 2, 3, ... after the others.
        backoffs: back-off weight of each n-gram of orders 1, 2, ...
    """

    bits: int
    unigrams: Doubles
    keys: list[Keys]
    probs: list[Singles]
    backoffs: list[Singles] = field(default_factory=list)

    @property
    def order(self) -> int:
        """Maximum length of the n-grams."""
        return len(self.keys) + 1

    def prob(self, keys: Keys, n: int) -> Doubles:
        """Return the probability of the last word of each n-gram after the others, ``(keys,)``."""
        if n == 1:
            return self.unigrams[keys.astype(np.int64)]
        rows = find(self.keys[n - 2], keys)
        probs = np.empty(len(keys))
        listed = rows >= 0
        probs[listed] = self.probs[n - 2][rows[listed]]
        (unlisted,) = np.nonzero(~listed)
        if len(unlisted):
            others = keys[unlisted]
            probs[unlisted] = self.backoff(others >> np.uint64(self.bits), n - 1) * self.prob(
                ending(others, n - 1, self.bits), n - 1
            )
        return probs

    def backoff(self, contexts: Keys, n: int) -> Doubles:
        """Return the back-off weight of each context of ``n`` words; 1 if it is not listed."""
        if n == 1:
            return self.backoffs[0][contexts.astype(np.int64)].astype(np.float64)
        rows = find(self.keys[n - 2], contexts)
        weights = np.ones(len(contexts))
        listed = rows >= 0
        weights[listed] = self.backoffs[n - 1][rows[listed]]
        return weights

    def rows(self, keys: Keys, n: int) -> npt.NDArray[np.int64]:
        """Return the row of each n-gram of order ``n``; -1 if it is not listed."""
        return keys.astype(np.int64) if n == 1 else find(self.keys[n - 2], keys)


@dataclass(frozen=True, slots=True)
class Margins:
    """The probability mass that the contexts of one order leave to unlisted words.

    Attributes:
        parents: row of each n-gram's context in the order below.
        contexts: rows that are contexts, ascending.
        place: index of each n-gram's context in ``contexts``.
        free: probability of unlisted words after each context.
        free_below: total probability of the same words in the order below.
        below: probability of each n-gram's last word in the order below.
    """

    parents: npt.NDArray[np.int64]
    contexts: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    free: Doubles
    free_below: Doubles
    below: Doubles


def normalise(model: BackoffModel) -> list[Margins]:
    """Set the back-off weights so that the probabilities after every context sum to one.

    Returns:
        The margins of orders 2, 3, ...
    """
    model.backoffs = []
    every = []
    for n in range(2, model.order + 1):
        keys = model.keys[n - 2]
        parents = model.rows(keys >> np.uint64(model.bits), n - 1)
        first = np.ones(len(keys), bool)
        first[1:] = parents[1:] != parents[:-1]
        starts, place = np.flatnonzero(first), np.cumsum(first) - 1
        size = len(model.unigrams) if n == 2 else len(model.keys[n - 3])
        weights = np.ones(size, np.float32)
        model.backoffs.append(weights)
        below = model.prob(ending(keys, n - 1, model.bits), n - 1)
        if len(keys):
            free = 1 - np.add.reduceat(model.probs[n - 2].astype(np.float64), starts)
            free_below = 1 - np.add.reduceat(below, starts)
        else:
            free = free_below = np.zeros(0)
        free, free_below = np.maximum(free, MIN_PROB), np.maximum(free_below, MIN_PROB)
        contexts = parents[starts]
        weights[contexts] = free / free_below
        every.append(Margins(parents, contexts, place, free, free_below, below))
    return every


def to_ngrams(model: BackoffModel, words: tuple[str, ...]) -> NGrams:
    """Return the model with log-probabilities, to be packed or written as ARPA."""
    count = len(words)
    zeros = np.zeros(count, np.int64)
    with np.errstate(divide="ignore"):
        unigrams = np.log(model.unigrams).astype(np.float32)
        backoffs = [np.log(weights).astype(np.float32) for weights in model.backoffs]
    unigrams[model.unigrams <= 0] = IMPOSSIBLE
    unigrams[BOS_ID] = IMPOSSIBLE
    backoffs.append(np.zeros(count if model.order == 1 else len(model.keys[-1]), np.float32))
    levels = [Level(zeros, np.arange(count), unigrams, backoffs[0])]
    for n in range(2, model.order + 1):
        keys = model.keys[n - 2]
        parents = model.rows(keys >> np.uint64(model.bits), n - 1)
        last = ending(keys, 1, model.bits).astype(np.int64)
        levels.append(Level(parents, last, np.log(model.probs[n - 2]), backoffs[n - 1]))
    return NGrams(words, tuple(levels))
