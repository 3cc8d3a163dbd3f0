"""Weights of a mixture, found on a text that none of its parts has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["mixture_weights"]

Doubles = npt.NDArray[np.float64]
ROUNDS = 200
SETTLED = 1e-6


def mixture_weights(probs: Sequence[npt.NDArray[Any]]) -> Doubles:
    """Return the weights of models that make texts likeliest (EM; Jelinek and Mercer 1980).

    Args:
        probs: for each text the probability that each model gives each word, ``(models, words)``.
            Texts count equally, whatever their length.

    Returns:
        Weights that sum to one, ``(models,)``; equal ones if there is no text.
    """
    models = probs[0].shape[0] if probs else 1
    weights = np.full(models, 1 / models)
    for _ in range(ROUNDS):
        shares = np.zeros(models)
        for text in probs:
            joint = weights[:, None] * text
            shares += (joint / joint.sum(axis=0)).mean(axis=1)
        if not probs:
            break
        shares /= len(probs)
        change, weights = np.abs(shares - weights).max(), shares
        if change < SETTLED:
            break
    return weights
