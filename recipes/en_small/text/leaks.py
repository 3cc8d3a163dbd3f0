"""Keep the texts of held-out recordings out of the training text.

A document that shares three different 7-grams with the held-out texts is left out whole, and so is
every line of another document that shares one, or that equals a held-out text of three words or
more.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["LeakFilter"]

LENGTH = 7
DIFFERENT = 3
SHORTEST_TEXT = 3
UNKNOWN = 2**32


class LeakFilter:
    """Finds the lines of a document that repeat held-out texts."""

    def __init__(self, held_out: Iterable[str]) -> None:
        texts = [text.split() for text in held_out]
        self._texts = {" ".join(words) for words in texts if len(words) >= SHORTEST_TEXT}
        self._ids: dict[str, int] = {}
        for words in texts:
            for word in words:
                self._ids.setdefault(word, len(self._ids))
        hashes = [_hashes(self._numbers(words)) for words in texts]
        self._grams = np.unique(np.concatenate(hashes)) if hashes else np.zeros(0, np.uint64)
        self._buckets = np.zeros(1 << 20, bool)  # a first, cheap test
        self._buckets[_bucket(self._grams)] = True

    def _numbers(self, words: list[str]) -> npt.NDArray[np.uint64]:
        ids = self._ids
        return np.fromiter((ids.get(word, UNKNOWN) for word in words), np.uint64, len(words))

    def clean(self, lines: list[str], *, whole: bool = True) -> list[str] | None:
        """Return ``lines`` without those that leak, or None if the document leaks as a whole.

        Args:
            lines: normalised lines of one document.
            whole: whether the lines belong together, so that the document can leak as a whole;
                not so for a collection of sentences.
        """
        words = " ".join(lines).split()
        hashes = _hashes(self._numbers(words))
        found = np.flatnonzero(self._buckets[_bucket(hashes)])
        found = found[np.isin(hashes[found], self._grams)]
        if whole and len(np.unique(hashes[found])) >= DIFFERENT:
            return None
        leaking: set[int] = set()
        if len(found):
            lengths = np.array([line.count(" ") + 1 for line in lines])
            ends = np.cumsum(lengths)
            firsts = np.searchsorted(ends, found, "right")
            lasts = np.searchsorted(ends, found + LENGTH - 1, "right")
            for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
                leaking.update(range(first, last + 1))
        return [
            line for i, line in enumerate(lines) if i not in leaking and line not in self._texts
        ]


def _hashes(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash of each window of ``LENGTH`` numbers."""
    count = len(numbers) - LENGTH + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for i in range(LENGTH):
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes += (numbers[i : i + count] + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
    hashes ^= hashes >> np.uint64(29)
    return hashes


def _bucket(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    places: npt.NDArray[np.int64] = (hashes >> np.uint64(44)).astype(np.int64)
    return places
