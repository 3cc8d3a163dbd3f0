"""N-gram language models for decoding: flat arrays in one memory-mapped file.

Log-probabilities and back-off weights are quantised to 8 bits, with a uniform grid per order. A
state is one integer, the longest context that can still matter, so that hypotheses with equal
states can be recombined. ``trie.py`` describes the arrays and implements queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from asr_gru.errors import ModelError
from asr_gru.files import write_bytes
from asr_gru.language.arrays import Array, pack_arrays, read_arrays
from asr_gru.language.ngrams import BOS, EOS, UNK, Floats, Ints, Level, NGrams
from asr_gru.language.packing import KIND, pack, unpack_words
from asr_gru.language.trie import Trie

__all__ = ["LanguageModel"]


class LanguageModel:
    """A word n-gram model of any order, with vectorised queries.

    Attributes:
        words: the vocabulary; word ids are indices into it.
        order: order of the model.
        counts: number of n-grams of each order.
        bos, eos, unk: ids of ``<s>``, ``</s>`` and ``<unk>``.
        unigram_log_probs: log-probability of each word without context, ``(words,)`` float32.
    """

    def __init__(self, meta: dict[str, Any], arrays: dict[str, Array], name: str) -> None:
        try:
            self.words = unpack_words(arrays["words"])
            self._ids = dict(zip(self.words, range(len(self.words)), strict=True))
            if len(self._ids) < len(self.words):
                raise ValueError("a word twice")
            self.bos, self.eos, self.unk = (self._ids[word] for word in (BOS, EOS, UNK))
            self._trie = Trie(meta, arrays, len(self.words))
        except (KeyError, TypeError, ValueError, IndexError, UnicodeDecodeError):
            raise ModelError(f"{name}: damaged language model; write it again") from None
        self._meta, self._arrays = meta, arrays
        self.order, self.counts = self._trie.order, self._trie.counts
        self.unigram_log_probs = self._trie.unigram_log_probs
        self.unigram_log_probs.setflags(write=False)

    @classmethod
    def load(cls, path: str | Path) -> LanguageModel:
        """Memory-map a file written by ``save``, which takes milliseconds.

        Raises:
            ModelError: the file cannot be read, is truncated or damaged, or is not a language
                model.
        """
        meta, arrays = read_arrays(Path(path), KIND)
        return cls(meta, arrays, str(path))

    @classmethod
    def build(cls, ngrams: NGrams, *, quantise: bool = True) -> LanguageModel:
        """Build a model from n-grams.

        Args:
            ngrams: the n-grams.
            quantise: whether to store 8-bit codes rather than float32, which is exact but larger.
        """
        return cls(*pack(ngrams, quantise=quantise), "language model")

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> LanguageModel:
        """Read the contents of a file written by ``save``; ``name`` is its name in errors."""
        return cls(*read_arrays(data, KIND), name)

    def save(self, path: str | Path) -> None:
        """Write the model to a file."""
        write_bytes(path, self.to_bytes())

    def to_bytes(self, *, links: bool = True) -> bytes:
        """Return the contents of the file that ``save`` writes.

        Args:
            links: whether to store the links to shorter contexts of orders above 3; without them,
                they are computed on loading, in about 0.3 microseconds per n-gram.
        """
        arrays = self._arrays
        if links:
            found = enumerate(self._trie.links, start=1)
            arrays = arrays | {f"links.{n}": array for n, array in found if array is not None}
        return pack_arrays(KIND, self._meta, arrays)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """Return the id of a word, or that of ``<unk>`` if it is not in the vocabulary."""
        return self._ids.get(word, self.unk)

    def ids(self, words: Iterable[str]) -> Ints:
        """Return the id of each word."""
        known, unk = self._ids.get, self.unk
        return np.fromiter((known(word, unk) for word in words), np.int64)

    def start(self) -> int:
        """Return the state at the beginning of a sentence."""
        return int(self._trie.longest[self.bos])

    def score(self, states: Ints, words: Ints) -> tuple[Floats, Ints]:
        """Score words after states.

        Args:
            states: states from ``start`` or earlier calls, ``(n,)``.
            words: word ids, ``(n,)``.

        Returns:
            Log-probabilities ``(n,)`` float32, and the next states ``(n,)`` int64. Each result
            depends on its state and word only.
        """
        return self._trie.score(states, words)

    def end(self, states: Ints) -> Floats:
        """Return the log-probability of the end of the sentence after each state, ``(n,)``."""
        return self.score(states, np.full(len(states), self.eos, np.int64))[0]

    def sentence(self, words: Iterable[str]) -> Floats:
        """Return the log-probabilities of the words and end of a sentence, ``(words + 1,)``."""
        state, log_probs = np.array([self.start()]), []
        for word in [*self.ids(words).tolist(), self.eos]:
            log_prob, state = self.score(state, np.array([word]))
            log_probs.append(log_prob[0])
        return np.array(log_probs, np.float32)

    def ngrams(self) -> NGrams:
        """Return the n-grams with their stored, possibly quantised, values."""
        levels = []
        for n, count in enumerate(self.counts, start=1):
            words, parents = np.arange(count), np.zeros(count, np.int64)
            if n > 1:
                words, parents = self._trie.words(n), self._trie.parents(n)
            levels.append(Level(parents, words, self._trie.log_probs(n), self._trie.backoffs(n)))
        return NGrams(tuple(self.words), tuple(levels))
