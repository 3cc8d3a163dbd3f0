"""Entropy pruning (Stolcke 1998) of language models to a size in bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asr_gru.language.backoff import BackoffModel, Doubles, Margins, ending, normalise
from asr_gru.language.packing import MAX_ENDINGS, packed_bytes

__all__ = ["limit_endings", "prune"]

Mask = npt.NDArray[np.bool_]
STEPS = 50
RANGE = 1e-16, 1.0
"""Range of the threshold, in nats per word: from nothing pruned to everything."""


def limit_endings(
    model: BackoffModel, contexts: Sequence[Doubles]
) -> tuple[BackoffModel, list[Doubles]]:
    """Leave rare words to back-off, so that word ids take 16 bits.

    N-grams with a rare word after their first are dropped; they would hardly survive pruning. The
    ``MAX_ENDINGS`` words with the highest probabilities are not rare.

    Args:
        model: a model without back-off weights.
        contexts: probabilities of contexts of 1, 2, ... words.

    Returns:
        The model and the probabilities of its contexts.
    """
    if len(model.unigrams) <= MAX_ENDINGS:
        return model, list(contexts)
    is_rare = np.ones(len(model.unigrams), bool)
    is_rare[np.argsort(-model.unigrams, kind="stable")[:MAX_ENDINGS]] = False
    kept = []
    for n, keys in enumerate(model.keys, start=2):
        mask = np.ones(len(keys), bool)
        for place in range(n - 1):
            words = ending(keys >> np.uint64(model.bits * place), 1, model.bits)
            mask &= ~is_rare[words.astype(np.int64)]
        kept.append(mask)
    limited = BackoffModel(
        model.bits,
        model.unigrams,
        [keys[mask] for keys, mask in zip(model.keys, kept, strict=True)],
        [probs[mask] for probs, mask in zip(model.probs, kept, strict=True)],
    )
    longer = zip(contexts[1:], kept, strict=False)
    return limited, [*contexts[:1], *(probs[mask] for probs, mask in longer)]


def prune(
    model: BackoffModel,
    margins: Sequence[Margins],
    contexts: Sequence[Doubles],
    size: int,
    *,
    links: bool = True,
) -> BackoffModel:
    """Prune the n-grams that change the model least, until it packs into ``size`` bytes.

    The criterion is the relative entropy between the model and the model without the n-gram, with
    its back-off weight adjusted. All orders share a threshold. Prefixes of remaining n-grams
    remain.

    Args:
        model: a normalised model.
        margins: margins of orders 2, 3, ..., from ``normalise``.
        contexts: probabilities of contexts of 1, 2, ... words.
        size: maximum bytes of the packed n-grams; unigrams are never pruned.
        links: whether to count the links of orders above 3.
    """
    words = len(model.unigrams)
    costs = [
        _costs(model.probs[n - 2], one, contexts[n - 2]) for n, one in enumerate(margins, start=2)
    ]

    def kept(threshold: float) -> list[Mask]:
        masks: list[Mask] = []
        for cost, above in zip(reversed(costs), [None, *reversed(margins)], strict=False):
            mask = cost > threshold
            if above is not None:
                mask[above.parents[masks[0]]] = True
            masks.insert(0, mask)
        return masks

    def fits(masks: list[Mask]) -> bool:
        counts = (words, *(int(np.count_nonzero(mask)) for mask in masks))
        return packed_bytes(words, counts, links=links) <= size

    low, high = np.log(RANGE)
    best = [np.ones(len(keys), bool) for keys in model.keys]
    if not fits(best):
        best = [np.zeros(len(keys), bool) for keys in model.keys]
        for _ in range(STEPS):
            middle = (low + high) / 2
            masks = kept(float(np.exp(middle)))
            if fits(masks):
                best, high = masks, middle
            else:
                low = middle
    pruned = BackoffModel(
        model.bits,
        model.unigrams,
        [keys[mask] for keys, mask in zip(model.keys, best, strict=True)],
        [probs[mask] for probs, mask in zip(model.probs, best, strict=True)],
    )
    normalise(pruned)
    return pruned


def _costs(probs: npt.NDArray[np.float32], margins: Margins, contexts: Doubles) -> Doubles:
    """Return the relative entropy, in nats per word, of removing each n-gram alone."""
    own = probs.astype(np.float64)
    free, below = margins.free[margins.place], margins.below
    log_weight = np.log(free / margins.free_below[margins.place])
    new_weight = np.log((free + own) / (margins.free_below[margins.place] + below))
    change = own * (np.log(below) + new_weight - np.log(own)) + free * (new_weight - log_weight)
    costs: Doubles = -contexts[margins.parents] * change
    return costs
