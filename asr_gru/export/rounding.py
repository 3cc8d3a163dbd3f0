"""Weights in int8: scales, and rounding that makes up for its own errors.

Each output has a scale. Inputs are rounded one after another, and what rounding one weight adds to
the product is taken from the weights of the inputs behind it, as far as these inputs vary with that
one (GPTQ, Frantar et al. 2022). What is left of the mean error goes into the bias (Nagel et al.
2019). Both need statistics of the input; without them, each weight is rounded to the nearest step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST", "PAIR", "InputStatistics", "RoundedWeight", "round_weight"]

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

LARGEST = 127
"""Magnitude of the largest int8 weight."""

PAIR = 128
"""Magnitude of the largest sum of the weights of one sign in a pair. An x86 without VNNI adds the
products of inputs ``2 k`` and ``2 k + 1`` in 16 bits, where 255 * 128 still fits, so that every
processor finds the same sums."""

LEVELS = (64, 80, 96, 112, 127, 144, 160)
"""How many steps the largest weight of an output may be; the best number is taken. Beyond
``LARGEST`` it is clipped, and at 64 no pair exceeds ``PAIR``."""

BLOCK = 32
"""Inputs whose errors are handed to those behind the block at once, which is faster."""

DAMPING = 0.01
"""Share of the mean variance that is added to each input's variance (Frantar et al. 2022)."""


@dataclass(frozen=True, slots=True)
class InputStatistics:
    """What was seen at the input of a product.

    Attributes:
        low: lowest value of each input, ``(inputs,)``.
        high: highest value of each input.
        mean: mean of each input.
        covariance: ``(inputs, inputs)``.
    """

    low: Doubles
    high: Doubles
    mean: Doubles
    covariance: Doubles

    def scaled(self, gain: Doubles, shift: Doubles | float = 0.0) -> InputStatistics:
        """Return the statistics of ``gain * x + shift``, with a positive ``gain``."""
        return InputStatistics(
            self.low * gain + shift,
            self.high * gain + shift,
            self.mean * gain + shift,
            self.covariance * np.outer(gain, gain),
        )

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest value of all inputs."""
        return float(self.low.min()), float(self.high.max())


class RoundedWeight(NamedTuple):
    """Whole numbers ``(inputs, outputs)``; their scales and what the bias gains, ``(outputs,)``."""

    whole: npt.NDArray[np.int8]
    scales: Array
    bias: Array


def round_weight(weight: Array, seen: InputStatistics | None = None) -> RoundedWeight:
    """Round ``weight (inputs, outputs)`` to whole steps of each output's scale."""
    exact = weight.astype(np.float64)
    inputs = len(exact)
    covariance = np.eye(inputs) if seen is None else seen.covariance
    variance = np.maximum(np.diag(covariance).mean(), 1e-12)
    damped = covariance + DAMPING * variance * np.eye(inputs)
    # row k: how the error of input k is spread over the inputs behind it
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T
    largest = np.maximum(np.abs(exact).max(axis=0), 1e-8)
    best, whole, scales = np.full(exact.shape[1], np.inf), np.zeros(exact.shape), largest
    for level in LEVELS:
        steps = (largest / level).astype(np.float32).astype(np.float64)
        rounded = _rounded(exact / steps, spread)
        error = rounded * steps - exact
        lost = np.einsum("io,io->o", error, damped @ error)
        better = lost < best
        best = np.where(better, lost, best)
        whole = np.where(better, rounded, whole)
        scales = np.where(better, steps, scales)
    mean = np.zeros(inputs) if seen is None else seen.mean
    bias = mean @ (exact - whole * scales)
    return RoundedWeight(whole.astype(np.int8), scales.astype(np.float32), bias.astype(np.float32))


def _rounded(wanted: Doubles, spread: Doubles) -> Doubles:
    """Return whole numbers near ``wanted`` within ``LARGEST`` and ``PAIR``."""
    wanted, whole = wanted.copy(), np.zeros_like(wanted)
    for first in range(0, len(wanted), BLOCK):
        last = min(first + BLOCK, len(wanted))
        errors = np.zeros((last - first, wanted.shape[1]))
        for k in range(first, last):
            low, high = _bounds(whole, k)
            whole[k] = np.clip(np.rint(wanted[k]), low, high)
            errors[k - first] = (wanted[k] - whole[k]) / spread[k, k]
            wanted[k + 1 : last] -= np.outer(spread[k, k + 1 : last], errors[k - first])
        wanted[last:] -= spread[first:last, last:].T @ errors
    return whole


def _bounds(whole: Doubles, k: int) -> tuple[Doubles | int, Doubles | int]:
    """Return the smallest and the largest weight of input ``k``, given that before it."""
    if k % 2 == 0:
        return -LARGEST, LARGEST
    before = whole[k - 1]
    low = np.maximum(-LARGEST, -PAIR - np.minimum(before, 0.0))
    return low, np.minimum(LARGEST, PAIR - np.maximum(before, 0.0))
