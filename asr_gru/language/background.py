"""Converts a packed language model, with additional words, to one that can be interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_gru.language.backoff import BackoffModel, Doubles, Keys, key_bits, normalise
from asr_gru.language.corpus import BOS_ID, EOS_ID, MARKS
from asr_gru.language.kneser_ney import Estimate
from asr_gru.language.ngram import LanguageModel
from asr_gru.language.ngrams import NGrams

__all__ = ["background_estimate"]

MAX_NEW_MASS = 0.05
"""Maximum total probability of new words."""
MAX_LISTED_MASS = 1 - 1e-4
"""Maximum total probability of listed words after a context; 8-bit codes can sum to more than 1."""
DEFAULT_ORDER = 3


def background_estimate(
    model: LanguageModel | None, words: Sequence[str]
) -> tuple[tuple[str, ...], Estimate]:
    """Return a model with additional words in a form that can be interpolated.

    A new word has the median probability of the others, and after any context that of back-off.
    All distributions are normalised, which 8-bit codes are only approximately.

    Args:
        model: the original model; None for a uniform distribution over ``words``.
        words: words to add to the vocabulary.

    Returns:
        The vocabulary (marks, words of the model, new words), and the estimate, without counts.
    """
    own = () if model is None else tuple(word for word in model.words if word not in MARKS)
    known = set(own)
    new = tuple(word for word in dict.fromkeys(words) if word not in known)
    vocabulary = (*MARKS, *own, *new)
    order = DEFAULT_ORDER if model is None else model.order
    bits = key_bits(len(vocabulary), order)
    if model is None:
        unigrams = np.ones(len(vocabulary))
        unigrams[BOS_ID] = 0
        empty = [np.zeros(0, np.uint64) for _ in range(order - 1)]
        background = BackoffModel(
            bits, unigrams / unigrams.sum(), empty, [np.zeros(0, np.float32) for _ in empty]
        )
    else:
        background = _unpacked(model.ngrams(), vocabulary, bits)
        _add_words(background, len(new))
    normalise(background)
    counts = [np.full(len(keys), 2, np.int32) for keys in background.keys]
    return vocabulary, Estimate(background, counts, _contexts(background), 1)


def _unpacked(ngrams: NGrams, vocabulary: tuple[str, ...], bits: int) -> BackoffModel:
    """Return n-grams as probabilities with sorted keys over another vocabulary."""
    places = {word: place for place, word in enumerate(vocabulary)}
    ids = np.array([places[word] for word in ngrams.words], np.uint64)
    unigrams = np.zeros(len(vocabulary))
    unigrams[ids.astype(np.int64)] = np.exp(ngrams.levels[0].log_probs.astype(np.float64))
    unigrams[BOS_ID] = 0
    below: Keys = ids
    model = BackoffModel(bits, unigrams, [], [])
    for level in ngrams.levels[1:]:
        keys = (below[level.parents] << np.uint64(bits)) | ids[level.words]
        probs = np.maximum(np.exp(level.log_probs), np.float32(1e-30))
        below = keys  # in the order of the rows, which the next level names
        if np.any(keys[1:] < keys[:-1]):
            order = np.argsort(keys)
            keys, probs = keys[order], probs[order]
        contexts = keys >> np.uint64(bits)
        starts = np.flatnonzero(np.append(True, contexts[1:] != contexts[:-1])[: len(keys)])
        if len(starts):
            sums = np.add.reduceat(probs.astype(np.float64), starts)
            scale = np.minimum(1.0, MAX_LISTED_MASS / sums)
            probs = (probs * np.repeat(scale, np.diff(starts, append=len(keys)))).astype(np.float32)
        model.keys.append(keys)
        model.probs.append(probs)
    return model


def _add_words(model: BackoffModel, new: int) -> None:
    """Give the last words of the vocabulary a probability, and scale the others down."""
    unigrams = model.unigrams
    if new:
        median = float(np.median(unigrams[len(MARKS) : -new])) if len(unigrams) > 3 + new else 1.0
        unigrams[-new:] = 0
        unigrams /= unigrams.sum()
        each = min(median, MAX_NEW_MASS / new)
        unigrams *= 1 - each * new
        unigrams[-new:] = each
    unigrams /= unigrams.sum()


def _contexts(model: BackoffModel) -> list[tuple[Keys, Doubles]]:
    """Return the probabilities of contexts of 1, 2, ... words in the model itself."""
    frequencies = model.unigrams.copy()
    frequencies[BOS_ID] = frequencies[EOS_ID]
    found = [(np.arange(len(frequencies), dtype=np.uint64), frequencies)]
    for n in range(2, model.order):
        keys = model.keys[n - 2]
        parents = model.rows(keys >> np.uint64(model.bits), n - 1)
        frequencies = frequencies[parents] * model.probs[n - 2]
        found.append((keys, frequencies))
    return found if model.order > 1 else []
