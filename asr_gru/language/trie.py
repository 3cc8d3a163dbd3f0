"""N-grams as a trie of sorted arrays, with vectorised queries.

The n-grams that share their first n-1 words are consecutive rows, sorted by last word, so a query
is a binary search per order (Whittaker and Raj 2001, Heafield 2011). A state is one integer: 0 is
the empty context; the n-grams below the highest order follow, order by order and row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asr_gru.language.arrays import Array
from asr_gru.language.buckets import Buckets
from asr_gru.language.ngrams import Floats, Ints

__all__ = ["Trie"]

MAX_STORED_ORDER = 9
MANY_PAIRS = 4000
"""Number of pairs of states and words from which on a query avoids unpredictable branches."""


@dataclass(frozen=True, slots=True)
class _Values:
    """Numbers as codes on a grid, or as float32 if the grid is empty."""

    codes: Array
    grid: Floats

    def take(self, rows: Ints) -> Floats:
        """Return the numbers of some rows; rows out of range are clipped."""
        codes = self.codes.take(rows, mode="clip")
        values: Floats = self.grid.take(codes) if len(self.grid) else codes
        return values

    def all(self) -> Floats:
        """Return all numbers."""
        values: Floats = self.grid.take(self.codes) if len(self.grid) else np.array(self.codes)
        return values

    @property
    def sound(self) -> bool:
        """Whether all codes are on the grid, and all numbers finite."""
        numbers = self.grid if len(self.grid) else self.codes
        types = self.codes.dtype == (np.uint8 if len(self.grid) else np.float32)
        return types and len(self.grid) in (0, 256) and bool(np.all(np.isfinite(numbers)))


class Trie:
    """A trie of n-grams.

    Args:
        meta: metadata of the file.
        arrays: arrays of the file.
        words: size of the vocabulary.

    Attributes:
        order: order of the model.
        counts: number of n-grams of each order.
        unigram_log_probs: log-probabilities of words without context, ``(words,)``.
        longest: state after each word without context, ``(words,)``.
        links: for each order below the highest, the state of the longest listed proper suffix of
            each n-gram; None if it is a single word.

    Raises:
        KeyError, TypeError, ValueError, IndexError: the arrays are inconsistent.
    """

    def __init__(self, meta: dict[str, Any], arrays: dict[str, Array], words: int) -> None:
        self.order = int(meta["order"])
        if not 1 <= self.order <= MAX_STORED_ORDER:
            raise ValueError(f"order {self.order}")
        orders = range(1, self.order + 1)
        self._log_probs = [
            _Values(arrays[f"log_probs.{n}"], arrays[f"log_prob_grid.{n}"]) for n in orders
        ]
        self._last = arrays["last_words"]
        self.counts = tuple(len(values.codes) for values in self._log_probs)
        starts = np.cumsum([1, *self.counts]).tolist()
        self._starts: list[int] = starts[: self.order]
        """The state of the first n-gram of each order."""
        self._last_starts: list[int] = [start - starts[1] for start in starts[1:]]
        """Start of the n-grams of each order from 2 in ``_last``."""
        _check_words(self._last, self.counts, words)
        backoffs = [
            _Values(arrays[f"backoffs.{n}"], arrays[f"backoff_grid.{n}"]) for n in orders[:-1]
        ]
        if not all(values.sound for values in [*self._log_probs, *backoffs]):
            raise ValueError("codes beyond their grids")
        zero = np.zeros(1, np.float32)
        self._backoffs = np.concatenate([zero, *(values.all() for values in backoffs)])
        self._goes_on = np.concatenate([[False], *(values.codes != 0 for values in backoffs)])
        """Code 0 marks an n-gram that is not a prefix of a longer one; its weight is 0."""
        self._buckets = Buckets(self._firsts(meta, arrays), self._last, words)
        self.unigram_log_probs = self._log_probs[0].all()
        self.longest = np.zeros(words, np.int64)
        if self.order > 1:
            self.longest = np.where(self._goes_on[1 : words + 1], np.arange(1, words + 1), 0)
        self.links: list[Array | None] = [None] * min(2, self.order - 1)
        for n in range(3, self.order):
            links = arrays.get(f"links.{n}")
            if links is not None:
                _check_links(links, self.counts, n)
            self.links.append(self._find_links(n) if links is None else links)

    def score(self, states: Ints, words: Ints) -> tuple[Floats, Ints]:
        """Score words after states; see ``LanguageModel.score``."""
        log_probs, following = self.unigram_log_probs.take(words), self.longest.take(words)
        if self.order == 1:
            return log_probs, following
        contexts = self._contexts_of(states)
        # One binary search for all orders: its cost is the number of numpy calls.
        found = self._find(contexts, words)
        backoffs = self._backoffs.take(contexts)
        for n, place in enumerate(found, start=1):
            log_probs = log_probs + backoffs[n - 1]
            (listed,) = (place >= 0).nonzero()
            if not len(listed):
                continue
            place = place.take(listed)
            log_probs.put(listed, self._log_probs[n].take(place - self._last_starts[n - 1]))
            if n + 1 < self.order:
                state = place + self._starts[1]
                goes_on = self._goes_on.take(state)
                np.put(following, listed[goes_on], state[goes_on])
        return log_probs, following

    def parents(self, n: int) -> Ints:
        """Return the row of the first n-1 words of each n-gram of order ``n``."""
        start, count = self._starts[n - 2], self.counts[n - 2]
        return np.arange(count).repeat(self._buckets.counts(slice(start, start + count)))

    def words(self, n: int) -> Ints:
        """Return the last word of each n-gram of order ``n``."""
        start = self._last_starts[n - 2]
        return self._last[start : start + self.counts[n - 1]].astype(np.int64)

    def log_probs(self, n: int) -> Floats:
        """Return the log-probability of each n-gram of order ``n``."""
        return self._log_probs[n - 1].all()

    def backoffs(self, n: int) -> Floats:
        """Return the log back-off weight of each n-gram of order ``n``."""
        count = self.counts[n - 1]
        if n == self.order:
            return np.zeros(count, np.float32)
        return self._backoffs[self._starts[n - 1] : self._starts[n - 1] + count]

    def _contexts_of(self, states: Ints) -> Ints:
        """Return the states of the last 1, 2, ... words of each, ``(order - 1, n)``; 0 if none."""
        contexts = np.empty((self.order - 1, len(states)), np.int64)
        for n in range(self.order - 1, 1, -1):
            is_order = states >= self._starts[n - 1]
            np.multiply(states, is_order, out=contexts[n - 1])
            shorter = self._link(n, states - self._starts[n - 1])
            states = np.where(is_order, shorter, states)
        contexts[0] = states
        return contexts

    def _link(self, n: int, rows: Ints) -> Ints:
        """Return the state of the longest listed suffix of n-grams of order ``n`` (2 or more)."""
        links = self.links[n - 1]
        ends, offset = (self._last, 1) if links is None else (links, 0)
        return np.add(ends.take(rows, mode="clip"), offset, dtype=np.int64)

    def _find(self, contexts: Ints, words: Ints) -> Ints:
        """Return the index in ``_last`` of each word after its contexts, or -1.

        Args:
            contexts: states, ``(..., n)``.
            words: word ids, ``(n,)``.
        """
        first, end = self._buckets.of(contexts, words)
        before = np.subtract(first, 1, dtype=np.int64)
        final = np.subtract(end, 1, dtype=np.int64)
        size = end - first
        step = 1 << size.item(size.argmax()).bit_length() >> 1 if size.size else 0
        place, wanted = before.copy(), words.astype(self._last.dtype)
        further, there = np.empty_like(place), np.empty(place.shape, self._last.dtype)
        right = np.empty(place.shape, bool)
        while step:
            np.add(place, step, out=further)
            np.minimum(further, final, out=further)
            self._last.take(further, mode="clip", out=there)
            np.less_equal(there, wanted, out=right)
            if place.size < MANY_PAIRS:
                np.putmask(place, right, further)
            else:  # without a branch for each
                np.subtract(further, place, out=further)
                np.multiply(further, right, out=further)
                np.add(place, further, out=place)
            step >>= 1
        if not len(self._last):
            return np.full(place.shape, -1)
        # Compared with the whole id: `wanted` has only the bits of words that n-grams end in.
        right = (place > before) & (self._last.take(place, mode="clip") == words)
        return np.where(right, place, -1)

    def _firsts(self, meta: dict[str, Any], arrays: dict[str, Array]) -> Array:
        """Return the start in ``_last`` of the n-grams after each state, and the end of all."""
        number = np.dtype(np.int32 if len(self._last) < 2**31 else np.int64)
        parts: list[Array] = [np.zeros(1, number)]
        for n in range(1, self.order):
            base, steps = arrays[f"base.{n}"], arrays[f"steps.{n}"]
            shift, count = int(meta["shifts"][n - 1]), self.counts[n - 1]
            fits = len(steps) == count + 1 and 0 <= shift <= 16
            if not fits or len(base) != (count >> shift) + 1:
                raise ValueError("offsets of another size")
            if base.max() > self.counts[n] or steps.max() > self.counts[n]:
                raise ValueError("offsets that lead out of the arrays")
            firsts: Ints = base.astype(number).repeat(1 << shift)[: count + 1]
            firsts += steps.astype(number)
            if firsts[0] != 0 or firsts[-1] != self.counts[n] or np.any(firsts[1:] < firsts[:-1]):
                raise ValueError("offsets that lead out of the arrays")
            firsts += self._last_starts[n - 1]
            parts.append(firsts[:-1])
        parts.append(np.array([len(self._last)], number))
        return np.concatenate(parts)

    def _find_links(self, n: int) -> Array:
        """Compute the links of order ``n`` from those of lower orders."""
        words = self.words(n)
        links = words + 1
        states = self._link(n - 1, self.parents(n))
        open_ = np.arange(len(links))
        for length in range(n - 2, 0, -1):
            there = states[open_] >= self._starts[length - 1]
            at = open_[there]
            found = self._find(states[at], words[at])
            hit = found >= 0
            links[at[hit]] = self._starts[1] + found[hit]
            if length > 1:
                states[at] = self._link(length, states[at] - self._starts[length - 1])
            open_ = np.concatenate([open_[~there], at[~hit]])
        return links.astype(np.int32)


def _check_words(last: Array, counts: tuple[int, ...], words: int) -> None:
    """Raise ValueError for words that are not in the vocabulary."""
    if counts[0] != words or len(last) != sum(counts[1:]) or last.max(initial=0) >= words:
        raise ValueError("n-grams of another vocabulary")


def _check_links(links: Array, counts: tuple[int, ...], n: int) -> None:
    """Raise ValueError for links that are not states of a lower order."""
    low, high = links.min(initial=0), links.max(initial=0)
    if len(links) != counts[n - 1] or low < 0 or high > sum(counts[: n - 1]):
        raise ValueError("links that lead out of the arrays")
