"""N-grams with probabilities in memory, as they are estimated, pruned, read and written.

The n-grams of one order are rows, sorted by (row of the first n-1 words, last word), so that a
model of any order is a trie of flat arrays. All logarithms are natural.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BOS", "EOS", "IMPOSSIBLE", "MAX_ORDER", "UNK", "Level", "NGrams", "find"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

BOS, EOS, UNK = "<s>", "</s>", "<unk>"
MAX_ORDER = 5
IMPOSSIBLE = float(-99 * np.log(10))
"""Log-probability of impossible events, -99 in ARPA, such as ``<s>`` after a word."""


@dataclass(frozen=True, slots=True)
class Level:
    """The n-grams of one order, sorted by (parent, word) and without duplicates.

    Attributes:
        parents: row of the first n-1 words in the level below, ``(n,)``; 0 for unigrams.
        words: id of the last word, ``(n,)``.
        log_probs: log-probability of the last word after the others, ``(n,)``.
        backoffs: log back-off weights, ``(n,)``; 0 in the highest order.
    """

    parents: Ints
    words: Ints
    log_probs: Floats
    backoffs: Floats

    def __len__(self) -> int:
        return len(self.words)

    @property
    def keys(self) -> Ints:
        """Parent and word as one integer, sorted, ``(n,)``."""
        return keys(self.parents, self.words)


@dataclass(frozen=True, slots=True)
class NGrams:
    """A back-off model (Katz 1987), as in an ARPA file.

    Attributes:
        words: the vocabulary, with ``<s>``, ``</s>`` and ``<unk>``; word ids are indices into it.
        levels: n-grams of orders 1 (a row for every word of the vocabulary), 2, ...
    """

    words: tuple[str, ...]
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """Order of the model."""
        return len(self.levels)

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of n-grams of each order."""
        return tuple(map(len, self.levels))

    def grams(self, order: int) -> Ints:
        """Return the word ids of all n-grams of an order, ``(n, order)``."""
        level = self.levels[order - 1]
        columns, rows = [level.words], level.parents
        for below in reversed(self.levels[: order - 1]):
            columns.append(below.words[rows])
            rows = below.parents[rows]
        return np.stack(columns[::-1], axis=1)

    def rows(self, grams: Ints) -> Ints:
        """Return the row of each n-gram of ``(n, order)`` in its level, or -1."""
        rows = np.zeros(len(grams), np.int64)
        for level, words in zip(self.levels, grams.T, strict=False):
            found = find(level.keys, keys(np.maximum(rows, 0), words))
            rows = np.where(rows < 0, -1, found)
        return rows


def keys(parents: npt.NDArray[Any], words: npt.NDArray[Any]) -> Ints:
    """Return an integer for each pair, in the order of the pairs."""
    return (parents.astype(np.int64) << 32) | words.astype(np.int64)


def find(known: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> Ints:
    """Return the index of each ``wanted`` value in the sorted array ``known``, or -1."""
    if not len(known):
        return np.full(len(wanted), -1, np.int64)
    indices = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[indices] == wanted, indices, -1).astype(np.int64)
