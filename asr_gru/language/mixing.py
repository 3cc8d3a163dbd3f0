"""Estimation of mixture weights on held-out texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["mixture_weights"]

Doubles = npt.NDArray[np.float64]
MAX_ITERATIONS = 200
TOLERANCE = 1e-6


def mixture_weights(probs: Sequence[npt.NDArray[Any]]) -> Doubles:
    """Return maximum-likelihood mixture weights, found by EM (Jelinek and Mercer 1980).

    Args:
        probs: for each text, the probability of each word in each model, ``(models, words)``.
            Texts have equal weight, regardless of length.

    Returns:
        Weights that sum to one, ``(models,)``; equal weights if there is no text.
    """
    models = probs[0].shape[0] if probs else 1
    weights = np.full(models, 1 / models)
    for _ in range(MAX_ITERATIONS):
        shares = np.zeros(models)
        for text in probs:
            joint = weights[:, None] * text
            shares += (joint / joint.sum(axis=0)).mean(axis=1)
        if not probs:
            break
        shares /= len(probs)
        change, weights = np.abs(shares - weights).max(), shares
        if change < TOLERANCE:
            break
    return weights
