"""Whatever a caller hands over, as mono float32 samples in [-1, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru.errors import AudioError

__all__ = ["LOUDEST", "Samples", "check_rate", "check_samples", "check_shape"]

Samples = npt.NDArray[np.float32]
MOST_CHANNELS = 64
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
LOUDEST = 16.0
"""Floats beyond 24 dB over full scale are errors of some writer, and are limited to that."""


def check_rate(sample_rate: float) -> int:
    """Return ``sample_rate`` in Hz as an integer; AudioError if no device has such a rate."""
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE or sample_rate != int(sample_rate):
        raise AudioError(
            f"sample_rate is {sample_rate!r}; "
            f"give whole Hz between {LOWEST_RATE} and {HIGHEST_RATE}"
        )
    return int(sample_rate)


def check_samples(samples: npt.ArrayLike) -> Samples:
    """Return ``samples`` as mono float32.

    Args:
        samples: ``(n,)`` or ``(n, channels)``; floats in [-1, 1], or integers of 8 (unsigned),
            16 or 32 bits over their whole range. Channels are averaged. Floats may overshoot
            full scale; each is limited to [-16, 16], so that no single one deafens a stream.

    Raises:
        AudioError: another type or shape, or samples that are not numbers.
    """
    array = np.asarray(samples)
    check_shape(array.shape)
    if array.dtype == np.int16:  # what most streams bring, so without needless copies
        scaled: Samples = np.multiply(array, np.float32(2.0**-15), dtype=np.float32)
        if scaled.ndim == 1:
            return scaled
        array = scaled
    elif array.dtype == np.int32:
        array = array.astype(np.float32) / np.float32(2.0**31)
    elif array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128.0) / 128.0
    elif array.dtype.kind == "f":
        _refuse_non_numbers(array)
        array = np.clip(array, -LOUDEST, LOUDEST).astype(np.float32)
    elif array.size:
        raise AudioError(f"samples are of type {array.dtype}; give float32 or int16")
    if array.ndim == 2:
        array = array.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(array, np.float32)


def check_shape(shape: tuple[int, ...]) -> None:
    """Refuse an array that is neither ``(n,)`` nor ``(n, channels)``.

    Raises:
        AudioError: with the remedy, where the axes look exchanged.
    """
    if len(shape) == 1 or (len(shape) == 2 and 1 <= shape[1] <= MOST_CHANNELS):
        return
    remedy = "give (n,) or (n, channels)"
    if len(shape) == 2 and 1 <= shape[0] <= MOST_CHANNELS:
        remedy = "that looks like (channels, n); transpose it to (n, channels) with samples.T"
    raise AudioError(f"samples have shape {shape}; {remedy}")


def _refuse_non_numbers(array: npt.NDArray[Any]) -> None:
    if not np.isfinite(array).all():
        raise AudioError("samples are not all finite numbers (NaN or infinity); repair the audio")
