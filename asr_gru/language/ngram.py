"""The n-gram model that a search asks: flat arrays in one file, memory-mapped.

An n-gram of order n is a row among those that share its first n-1 words, sorted by its last word,
so a query is a bisection for each order (a trie of sorted arrays: Whittaker and Raj 2001, Heafield
2011). Log-probabilities and back-off weights are 8-bit codes on a uniform grid for each order. A
state is one integer, the longest context that can still matter, so that equal states mean equal
futures: hypotheses are recombined by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from asr_gru.errors import ModelError
from asr_gru.files import write_bytes
from asr_gru.language.arrays import Array, pack_arrays, read_arrays
from asr_gru.language.ngrams import BOS, EOS, UNK, Floats, Ints, Level, NGrams
from asr_gru.language.packing import KIND, pack, unpack_words

__all__ = ["LanguageModel"]

MOST_ORDERS = 9


@dataclass(frozen=True, slots=True)
class _Values:
    """Numbers as codes on a grid, or as they are where the grid is empty."""

    codes: Array
    grid: Floats

    def __getitem__(self, rows: Array) -> Floats:
        codes = self.codes[rows]
        values: Floats = self.grid[codes] if len(self.grid) else codes
        return values


@dataclass(frozen=True, slots=True)
class _Context:
    """What the n-grams of one order are to longer ones.

    Attributes:
        backoffs: weights; code 0 marks an n-gram that no longer one begins with.
        base, steps, shift: the longer ones of row r begin at ``base[r >> shift] + steps[r]``.
        links: state of the longest listed n-gram that ends this one; none below order 3.
    """

    backoffs: _Values
    base: Array
    steps: Array
    shift: int
    links: Array | None

    def first(self, rows: Ints) -> Ints:
        firsts: Ints = self.base[rows >> self.shift].astype(np.int64) + self.steps[rows]
        return firsts


class LanguageModel:
    """A word n-gram model of any order, for hundreds of questions at once.

    Attributes:
        words: the vocabulary; an id is a place in it.
        order: words of the longest n-grams.
        counts: how many n-grams of each order there are.
        bos, eos, unk: ids of ``<s>``, ``</s>`` and ``<unk>``.
        unigram_log_probs: natural logarithm for each word without context, ``(words,)`` float32.
    """

    def __init__(self, meta: dict[str, Any], arrays: dict[str, Array], name: str) -> None:
        try:
            self.words = unpack_words(arrays["words"])
            self.order = int(meta["order"])
            if not 1 <= self.order <= MOST_ORDERS:
                raise ModelError(f"{name}: order {self.order}; write the file again")
            self._meta, self._arrays = meta, arrays
            orders = range(1, self.order + 1)
            self._log_probs = [
                _Values(arrays[f"log_probs.{n}"], arrays[f"log_prob_grid.{n}"]) for n in orders
            ]
            self._last = arrays["last_words"]
            self._contexts = [
                _Context(
                    _Values(arrays[f"backoffs.{n}"], arrays[f"backoff_grid.{n}"]),
                    arrays[f"base.{n}"],
                    arrays[f"steps.{n}"],
                    int(meta["shifts"][n - 1]),
                    arrays.get(f"links.{n}"),
                )
                for n in orders[:-1]
            ]
            self.counts = tuple(len(values.codes) for values in self._log_probs)
            self._last_starts = np.cumsum([0, *self.counts[1:]]).tolist()[: self.order - 1]
            self._check(name)
            self.bos, self.eos, self.unk = (self.words.index(word) for word in (BOS, EOS, UNK))
        except (KeyError, TypeError, ValueError, IndexError, UnicodeDecodeError):
            raise ModelError(f"{name}: damaged language model; write it again") from None
        self._starts = np.cumsum([1, *self.counts])
        """The state of the first n-gram of each order; state 0 is the empty context."""
        self.unigram_log_probs = self._log_probs[0][np.arange(len(self.words))]
        self.unigram_log_probs.setflags(write=False)
        self._links: list[Array | None] = [None] * min(2, self.order - 1)
        for n in range(3, self.order):
            self._links.append(self._contexts[n - 1].links)
            if self._links[-1] is None:
                self._links[-1] = self._find_links(n)

    @classmethod
    def load(cls, path: str | Path) -> LanguageModel:
        """Map the file that ``save`` wrote (milliseconds, whatever its size).

        Raises:
            ModelError: not there, cut, damaged, or no language model.
        """
        meta, arrays = read_arrays(Path(path), KIND)
        return cls(meta, arrays, str(path))

    @classmethod
    def build(cls, ngrams: NGrams, *, quantise: bool = True) -> LanguageModel:
        """Pack n-grams.

        Args:
            ngrams: the model.
            quantise: 8-bit codes; otherwise float32, four times as large and exact.
        """
        return cls(*pack(ngrams, quantise=quantise), "language model")

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> LanguageModel:
        """Take the contents of a file that ``save`` wrote; ``name`` is for errors."""
        return cls(*read_arrays(data, KIND), name)

    def save(self, path: str | Path) -> None:
        """Write the model as one file."""
        write_bytes(path, self.to_bytes())

    def to_bytes(self, *, links: bool = True) -> bytes:
        """Return what ``save`` writes.

        Args:
            links: with what orders above 3 need beyond the n-grams; it can also be found while
                loading, at some 0.3 microseconds an n-gram.
        """
        arrays = self._arrays
        if links:
            found = enumerate(self._links, start=1)
            arrays = arrays | {f"links.{n}": array for n, array in found if array is not None}
        return pack_arrays(KIND, self._meta, arrays)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """Return the id of a word, that of ``<unk>`` if it is not in the vocabulary."""
        return self._ids.get(word, self.unk)

    def ids(self, words: Iterable[str]) -> Ints:
        """Return the id of each word."""
        return np.array([self.id(word) for word in words], np.int64)

    def start(self) -> int:
        """Return the state at the beginning of a sentence."""
        return int(self._longest(np.array([self.bos]))[0])

    def score(self, states: Ints, words: Ints) -> tuple[Floats, Ints]:
        """Return how likely each word is after its state, and the state after it.

        Args:
            states: from ``start`` or from here, ``(n,)``.
            words: ids, ``(n,)``.

        Returns:
            Natural logarithms ``(n,)`` float32, and the next states ``(n,)`` int64. Each pair is
            judged for itself: neighbours change nothing.
        """
        log_probs = self.unigram_log_probs[words]
        following = self._longest(words)
        asked = []
        for context, rows, start in zip(
            self._contexts, self._contexts_of(states), self._last_starts, strict=True
        ):
            (at,) = np.nonzero(rows >= 0)
            rows = rows[at]
            asked.append((at, rows, context.first(rows) + start, context.first(rows + 1) + start))
        if not asked:
            return log_probs, following
        found = _search(  # one bisection for all orders: its cost is the number of numpy calls
            self._last,
            np.concatenate([low for _, _, low, _ in asked]),
            np.concatenate([high for _, _, _, high in asked]),
            words[np.concatenate([at for at, _, _, _ in asked])],
        )
        for n, (at, rows, _, _) in enumerate(asked, start=1):
            places, found = found[: len(at)], found[len(at) :]
            log_probs[at] += self._contexts[n - 1].backoffs[rows]
            (hit,) = np.nonzero(places >= 0)
            listed, at = places[hit] - self._last_starts[n - 1], at[hit]
            log_probs[at] = self._log_probs[n][listed]
            if n + 1 < self.order:
                goes_on = self._contexts[n].backoffs.codes[listed] != 0
                following[at[goes_on]] = self._starts[n] + listed[goes_on]
        return log_probs, following

    def end(self, states: Ints) -> Floats:
        """Return how likely the sentence ends after each state, natural logarithms ``(n,)``."""
        return self.score(states, np.full(len(states), self.eos, np.int64))[0]

    def sentence(self, words: Iterable[str]) -> Floats:
        """Return the log-probability of each word and of the end, ``(words + 1,)``."""
        state, log_probs = np.array([self.start()]), []
        for word in [*self.ids(words).tolist(), self.eos]:
            log_prob, state = self.score(state, np.array([word]))
            log_probs.append(log_prob[0])
        return np.array(log_probs, np.float32)

    def ngrams(self) -> NGrams:
        """Return the n-grams as they are after packing (for ARPA)."""
        levels = []
        for n in range(1, self.order + 1):
            count = self.counts[n - 1]
            every = np.arange(count)
            words, parents = every, np.zeros(count, np.int64)
            if n > 1:
                words, parents = self._words_of(n), self._parents(n)
            backoffs = (
                self._contexts[n - 1].backoffs[every]
                if n < self.order
                else np.zeros(count, np.float32)
            )
            levels.append(Level(parents, words, self._log_probs[n - 1][every], backoffs))
        return NGrams(tuple(self.words), tuple(levels))

    def _longest(self, words: Ints) -> Ints:
        """State after a word whose context does not matter."""
        if self.order == 1:
            return np.zeros(len(words), np.int64)
        return np.where(self._contexts[0].backoffs.codes[words] != 0, words + 1, 0)

    def _contexts_of(self, states: Ints) -> list[Ints]:
        """Rows of the contexts of 1, 2, ... words that end each state; -1 where there is none."""
        rows: list[Ints] = []
        for n in range(self.order - 1, 0, -1):
            here = states >= self._starts[n - 1]
            row = np.where(here, states - self._starts[n - 1], -1)
            rows.append(row)
            if n > 1:
                states = np.where(here, self._link(n, row), states)
        return rows[::-1]

    def _link(self, n: int, rows: Ints) -> Ints:
        """State of the longest listed n-gram that ends each of order ``n`` (2 or more)."""
        links = self._links[n - 1]
        ends, offset = (self._last, 1) if links is None else (links, 0)
        states: Ints = ends.take(rows, mode="clip").astype(np.int64) + offset
        return states

    def _find_links(self, n: int) -> Array:
        """Return the links of order ``n`` from those below: context by context, longest first."""
        parents, words = self._parents(n), self._words_of(n)
        links = words + 1
        states = self._link(n - 1, parents)
        open_ = np.arange(len(links))
        for length in range(n - 2, 0, -1):
            there = states[open_] >= self._starts[length - 1]
            at = open_[there]
            rows = states[at] - self._starts[length - 1]
            context, start = self._contexts[length - 1], self._last_starts[length - 1]
            low, high = context.first(rows) + start, context.first(rows + 1) + start
            found = _search(self._last, low, high, words[at])
            hit = found >= 0
            links[at[hit]] = self._starts[length] + found[hit] - start
            if length > 1:
                states[at] = self._link(length, rows)
            open_ = np.concatenate([open_[~there], at[~hit]])
        return links.astype(np.int32)

    def _parents(self, n: int) -> Ints:
        context = self._contexts[n - 2]
        firsts = context.first(np.arange(self.counts[n - 2] + 1))
        return np.repeat(np.arange(self.counts[n - 2]), np.diff(firsts))

    def _words_of(self, n: int) -> Ints:
        start = self._last_starts[n - 2]
        return self._last[start : start + self.counts[n - 1]].astype(np.int64)

    def _check(self, name: str) -> None:
        """Refuse what a query could not stand: rows and words that lead out of the arrays."""
        whole = len(self.words) == self.counts[0] and len(set(self.words)) == len(self.words)
        whole &= len(self._last) == sum(self.counts[1:])
        whole &= int(self._last.max(initial=0)) < len(self.words)
        for n, context in enumerate(self._contexts, start=1):
            count = self.counts[n - 1]
            sizes = len(context.backoffs.codes) == count and len(context.steps) == count + 1
            whole &= sizes and 0 <= context.shift <= 16
            whole = whole and len(context.base) == (count >> context.shift) + 1
            if not whole:
                break
            firsts = context.first(np.arange(count + 1))
            whole &= bool(firsts[0] == 0 and firsts[-1] == self.counts[n])
            whole &= bool(np.all(firsts[1:] >= firsts[:-1]))
            if context.links is not None:
                whole &= n > 2 and len(context.links) == count
                ends = sum(self.counts[: n - 1])
                low, high = context.links.min(initial=0), context.links.max(initial=0)
                whole &= bool(low >= 0 and high <= ends)
        for values in [*self._log_probs, *(context.backoffs for context in self._contexts)]:
            codes = values.codes
            numbers = values.grid if len(values.grid) else codes
            whole &= codes.dtype == (np.uint8 if len(values.grid) else np.float32)
            whole &= len(values.grid) in (0, 256) and bool(np.all(np.isfinite(numbers)))
        if not whole:
            raise ModelError(f"{name}: damaged language model; write it again")


def _search(words: Array, low: Ints, high: Ints, wanted: Ints) -> Ints:
    """Return the place of each wanted word in ``words[low:high]`` (sorted), or -1."""
    wanted = wanted.astype(words.dtype)
    place = low - 1
    step = 1 << int((high - low).max(initial=0)).bit_length() >> 1
    while step:
        further = place + step
        right = (further < high) & (words.take(further, mode="clip") <= wanted)
        place += step * right
        step >>= 1
    hit = (place >= low) & (words.take(place, mode="clip") == wanted) if len(words) else place < -1
    return np.where(hit, place, -1)
