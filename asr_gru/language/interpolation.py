"""Several models as one back-off model: linear interpolation, listed n-gram by n-gram."""

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
    """Return the mixture for all listed n-grams, without weights for contexts.

    N-grams with ``<unk>`` are left out: it is never recognised.

    Args:
        estimates: of the same order and vocabulary.
        weights: of each, ``(estimates,)``.
        max_ngrams: where more n-grams of the highest order would be listed, those that were counted
            once in the longest texts are left out, text by text, until no more are.

    Returns:
        The model, to be normalised, and how likely each context is, for contexts of 1, 2, ...
        words: by relative frequencies, as the lower orders of Kneser-Ney models do not say it
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
    """Return the probability of each word of a text and of its sentence ends.

    Words outside the vocabulary are left out, ``(known words,)``.
    """
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
    """Return for each estimate the count up to which n-grams are left out: 0 or 1."""
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
    together = np.concatenate(parts)
    together.sort()
    return _distinct(together)


def _distinct(keys: Keys) -> Keys:
    first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys[first]


def _without_unknown(keys: Keys, n: int, bits: int) -> Keys:
    known = np.ones(len(keys), bool)
    for place in range(n):
        known &= ending(keys >> np.uint64(bits * place), 1, bits) != UNK_ID
    return keys[known]
