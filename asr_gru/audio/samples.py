"""Validation of samples and conversion to mono float32 in [-1, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru.errors import AudioError, is_real

__all__ = [
    "MAX_AMPLITUDE",
    "Samples",
    "as_array",
    "check_rate",
    "check_samples",
    "check_shape",
    "to_int16",
]

Samples = npt.NDArray[np.float32]
MAX_CHANNELS = 64
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000
MAX_AMPLITUDE = 16.0
"""Floats are clipped here (24 dB over full scale): anything louder is a writer's error."""


def check_rate(sample_rate: float) -> int:
    """Return ``sample_rate`` in Hz as an integer; AudioError if it is no usable rate."""
    if (
        not is_real(sample_rate)
        or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE
        or sample_rate != int(sample_rate)
    ):
        raise AudioError(
            f"sample_rate is {repr(sample_rate)[:40]}; "
            f"give an integer in Hz from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )
    return int(sample_rate)


def check_samples(samples: npt.ArrayLike) -> Samples:
    """Return ``samples`` as mono float32.

    Args:
        samples: ``(n,)`` or ``(n, channels)``; floats in [-1, 1], or integers of 8 (unsigned),
            16 or 32 bits at full range. Channels are averaged. Floats may exceed full scale; they
            are clipped to [-16, 16], so that a single bad sample cannot deafen a stream.

    Raises:
        AudioError: unsupported dtype or shape, or NaN or infinite samples.
    """
    array = as_array(samples)
    if array.dtype == np.int16:  # the common case of streams: avoid needless copies
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
        array = np.clip(array, -MAX_AMPLITUDE, MAX_AMPLITUDE).astype(np.float32)
    elif array.size:
        raise AudioError(f"samples have dtype {array.dtype}; give float32 or int16")
    if array.ndim == 2:
        array = array.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(array, np.float32)


def as_array(samples: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return samples as an array ``(n,)`` or ``(n, channels)``; AudioError if they are none."""
    try:
        array = np.asarray(samples)
    except ValueError:
        raise AudioError(
            "samples are lists of unequal lengths; give (n,) or (n, channels)"
        ) from None
    check_shape(array.shape)
    return array


def to_int16(samples: Samples) -> npt.NDArray[np.int16]:
    """Return floats as 16-bit samples, rounded, and clipped where they exceed full scale.

    The inverse of ``check_samples``: samples of a 16-bit recording come back bit-identical.
    """
    whole: npt.NDArray[np.int16] = np.clip(np.rint(samples * 2.0**15), -(2**15), 2**15 - 1).astype(
        "<i2"
    )
    return whole


def check_shape(shape: tuple[int, ...]) -> None:
    """Check that an array is ``(n,)`` or ``(n, channels)``.

    Raises:
        AudioError: any other shape; the message says if the axes look swapped.
    """
    if len(shape) == 1 or (len(shape) == 2 and 1 <= shape[1] <= MAX_CHANNELS):
        return
    remedy = "give (n,) or (n, channels)"
    if len(shape) == 2 and 1 <= shape[0] <= MAX_CHANNELS:
        remedy = "that looks like (channels, n); transpose it to (n, channels) with samples.T"
    raise AudioError(f"samples have shape {shape}; {remedy}")


def _refuse_non_numbers(array: npt.NDArray[Any]) -> None:
    if not np.isfinite(array).all():
        raise AudioError("samples contain NaN or infinity; repair the audio")
