"""Linear interpolation of several models into one back-off model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_gru.language.backoff import BackoffModel, Doubles, Keys, ending
from asr_gru.language.corpus import BOS_ID, UNK_ID, Stream
from asr_gru.language.kneser_ney import Estimate
from asr_gru.language.ngrams import find

__all__ = ["interpolate", "word_probs"]


def interpolate(
    estimates: Sequence[Estimate], weights: Doubles, max_ngrams: float
) -> tuple[BackoffModel, list[Doubles]]:
    """Interpolate models.

    N-grams with ``<unk>`` are left out, because it is never recognised.

    Args:
        estimates: estimates of the same order and vocabulary.
        weights: weight of each estimate, ``(estimates,)``.
        max_ngrams: maximum number of n-grams of the highest order; to reach it, n-grams with a
            count of 1 are dropped, one text after the other, beginning with the longest.

    Returns:
        The model without back-off weights, and the probabilities of contexts of 1, 2, ... words.
        These are relative frequencies, because lower orders of Kneser-Ney models are not
        (Chelba et al. 2010).
    """
    models = [estimate.model for estimate in estimates]
    bits, order = models[0].bits, models[0].order
    pairs = list(zip(weights, models, strict=True))
    unigrams = np.sum([weight * model.unigrams for weight, model in pairs], axis=0)
    keys: list[Keys] = []
    once = _left_out(estimates, max_ngrams)
    for n in range(order, 1, -1):
        parts = [
            estimate.model.keys[n - 2][estimate.counts[n - 2] > place_once]
            for estimate, place_once in zip(estimates, once, strict=True)
        ]
        if keys:
            parts.append(_distinct(keys[0] >> np.uint64(bits)))
        keys.insert(0, _without_unknown(_union(parts), n, bits))
    probs = []
    for n, listed in enumerate(keys, start=2):
        mixed = np.zeros(len(listed))
        for weight, model in pairs:
            mixed += weight * model.prob(listed, n)
        probs.append(mixed.astype(np.float32))
    contexts = []
    for n in range(1, order):
        size = len(unigrams) if n == 1 else len(keys[n - 2])
        frequencies = np.zeros(size)
        for weight, estimate in zip(weights, estimates, strict=True):
            known, counts = estimate.contexts[n - 1]
            if n == 1:
                frequencies += weight * counts / estimate.words
            else:
                rows = find(known, keys[n - 2])
                listed_rows = rows >= 0
                frequencies[listed_rows] += weight * counts[rows[listed_rows]] / estimate.words
        contexts.append(frequencies)
    return BackoffModel(bits, unigrams, keys, probs), contexts


def word_probs(model: BackoffModel, stream: Stream) -> Doubles:
    """Return the probabilities of the known words and sentence ends of a text, ``(n,)``."""
    bits = np.uint64(model.bits)
    (begins,) = np.nonzero(stream == BOS_ID)
    sentence = np.cumsum(stream == BOS_ID) - 1
    age = np.arange(len(stream)) - begins[sentence]
    probs = np.empty(len(stream))
    for n in range(1, model.order + 1):
        (places,) = np.nonzero(age >= n - 1 if n == model.order else age == n - 1)
        keys = np.zeros(len(places), np.uint64)
        for back in range(n - 1, -1, -1):
            keys = (keys << bits) | stream[places - back]
        probs[places] = model.prob(keys, n)
    known: Doubles = probs[(stream != BOS_ID) & (stream != UNK_ID)]
    return known


def _left_out(estimates: Sequence[Estimate], max_ngrams: float) -> list[int]:
    """Return the count up to which n-grams of each estimate are dropped: 0 or 1."""
    once = [0] * len(estimates)
    if not estimates[0].counts:
        return once
    kept = [len(estimate.counts[-1]) for estimate in estimates]
    for place in sorted(range(len(estimates)), key=lambda i: -estimates[i].words):
        if sum(kept) <= max_ngrams:
            break
        once[place] = 1
        kept[place] = int(np.count_nonzero(estimates[place].counts[-1] > 1))
    return once


def _union(parts: list[Keys]) -> Keys:
    if len(parts) == 1:
        return parts[0]
    merged = np.concatenate(parts)
    merged.sort()
    return _distinct(merged)


def _distinct(keys: Keys) -> Keys:
    first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys[first]


def _without_unknown(keys: Keys, n: int, bits: int) -> Keys:
    known = np.ones(len(keys), bool)
    for place in range(n):
        known &= ending(keys >> np.uint64(bits * place), 1, bits) != UNK_ID
    return keys[known]
