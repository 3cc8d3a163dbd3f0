"""Packs n-grams into arrays: 8-bit codes, short word ids and 16-bit offsets.

The offset of the longer n-grams that begin with a row is stored as a 32-bit base per block of rows
and a 16-bit step per row. Words in which longer n-grams end come first in the vocabulary if there
are at most 65,536 of them, so that their ids take 16 bits in a vocabulary of any size. An n-gram of
the highest order then takes 3 bytes, and one of a lower order about 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from asr_gru.errors import DataError
from asr_gru.language.arrays import Array
from asr_gru.language.ngrams import BOS, EOS, IMPOSSIBLE, UNK, Floats, Ints, Level, NGrams

__all__ = ["KIND", "MAX_ENDINGS", "pack", "pack_words", "packed_bytes", "unpack_words"]

KIND = "ngram"
MAX_SHIFT = 6
MAX_ENDINGS = 1 << 16
"""Maximum number of words in which n-grams end, for ids of 16 bits."""
TINY = np.float32(1e-30)
"""Replaces a back-off weight of 0 if longer n-grams follow, because 0 means that none does."""


def pack(ngrams: NGrams, *, quantise: bool) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the metadata and arrays of a model's file.

    Raises:
        DataError: the vocabulary has no ``<s>``, ``</s>`` or ``<unk>``.
    """
    for word in (BOS, EOS, UNK):
        if word not in ngrams.words:
            raise DataError(f"the vocabulary has no {word}; add it")
    if len(ngrams.words) > MAX_ENDINGS:
        ngrams = _endings_first(ngrams)
    arrays: dict[str, Array] = {"words": np.frombuffer("\n".join(ngrams.words).encode(), np.uint8)}
    shifts: list[int] = []
    last = np.concatenate([np.zeros(0, np.int64), *(level.words for level in ngrams.levels[1:])])
    arrays["last_words"] = last.astype(_id_type(int(last.max(initial=0)) + 1))
    for n, level in enumerate(ngrams.levels, start=1):
        arrays[f"log_probs.{n}"], arrays[f"log_prob_grid.{n}"] = _codes(
            level.log_probs, IMPOSSIBLE, level.log_probs < IMPOSSIBLE / 2, quantise=quantise
        )
        if n == ngrams.order:
            break
        longer = np.bincount(ngrams.levels[n].parents, minlength=len(level))
        weights = np.where((longer > 0) & (level.backoffs == 0), TINY, level.backoffs)
        arrays[f"backoffs.{n}"], arrays[f"backoff_grid.{n}"] = _codes(
            weights, 0.0, weights == 0, quantise=quantise
        )
        arrays[f"base.{n}"], arrays[f"steps.{n}"], shift = _offsets(
            np.concatenate([[0], np.cumsum(longer)])
        )
        shifts.append(shift)
    return {"order": ngrams.order, "shifts": shifts}, arrays


def packed_bytes(words: int, counts: tuple[int, ...], *, links: bool = True) -> int:
    """Estimate the size in bytes of a packed, quantised model, without its list of words.

    N-grams end in at most ``MAX_ENDINGS`` different words.

    Args:
        words: size of the vocabulary.
        counts: number of n-grams of each order, from 1.
        links: whether to include the links to shorter contexts of orders above 3.
    """
    word_bytes = _id_type(min(words, MAX_ENDINGS))().itemsize
    total = 0.0
    for n, count in enumerate(counts, start=1):
        each = 1.0 + (word_bytes if n > 1 else 0)
        if n < len(counts):
            each += 3 + 4 / 2**MAX_SHIFT + (4 if n > 2 and links else 0)
        total += count * each
    return int(total)


def pack_words(words: Iterable[str]) -> Array:
    """Return a vocabulary as bytes."""
    return np.frombuffer("\n".join(words).encode(), np.uint8)


def unpack_words(packed: Array) -> tuple[str, ...]:
    """Return the vocabulary of a file."""
    return tuple(packed.tobytes().decode().split("\n")) if len(packed) else ()


def _endings_first(ngrams: NGrams) -> NGrams:
    """Reorder the vocabulary: first the words in which n-grams of two or more words end."""
    is_ending = np.zeros(len(ngrams.words), bool)
    for level in ngrams.levels[1:]:
        is_ending[level.words] = True
    vocabulary = np.argsort(~is_ending, kind="stable")
    ids = np.argsort(vocabulary)
    parents, levels = ngrams.levels[0].parents, []
    for n, level in enumerate(ngrams.levels, start=1):
        words = ids[level.words]
        order = np.lexsort((words, parents))
        levels.append(
            Level(parents[order], words[order], level.log_probs[order], level.backoffs[order])
        )
        if n < ngrams.order:
            parents = np.argsort(order)[ngrams.levels[n].parents]
    return NGrams(tuple(ngrams.words[word] for word in vocabulary.tolist()), tuple(levels))


def _id_type(words: int) -> type[np.uint8 | np.uint16 | np.uint32]:
    return np.uint8 if words <= 1 << 8 else np.uint16 if words <= 1 << 16 else np.uint32


def _codes(
    values: Floats, special: float, is_special: Array, *, quantise: bool
) -> tuple[Array, Floats]:
    """Return 8-bit codes and their grid: code 0 for ``special``, then 255 uniform values."""
    if not quantise:
        return np.where(is_special, special, values).astype(np.float32), np.zeros(0, np.float32)
    others = values[~is_special]
    low, high = (float(others.min()), float(others.max())) if len(others) else (0.0, 0.0)
    step = (high - low) / 254 or 1.0
    codes = np.where(is_special, 0, 1 + np.round((values - low) / step).clip(0, 254))
    grid = np.concatenate([[special], low + step * np.arange(255)])
    return codes.astype(np.uint8), grid.astype(np.float32)


def _offsets(firsts: Ints) -> tuple[Array, Array, int]:
    """Split ascending offsets into a 32-bit base per block of rows and a 16-bit step per row."""
    rows = np.arange(len(firsts))
    for shift in range(MAX_SHIFT, -1, -1):
        base = firsts[:: 1 << shift]
        steps = firsts - base[rows >> shift]
        if steps.max() < 1 << 16:
            break
    return base.astype(np.uint32), steps.astype(np.uint16), shift
