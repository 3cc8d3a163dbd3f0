"""The constant matrices of the mel frontend, in numpy: windowed DFT and mel filters."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from asr_gru.model.net_config import FrontendConfig

__all__ = ["dft_matrix", "mel_filters"]

Matrix = npt.NDArray[np.float64]


def mel_filters(config: FrontendConfig) -> Matrix:
    """Return triangular filters ``(fft_size / 2 + 1, mels)`` on the HTK mel scale, with peak 1.

    The scale is 2595 log10(1 + f / 700) (O'Shaughnessy, "Speech Communication", 1987).
    """

    def to_mel(hz: float) -> float:
        return 2595.0 * math.log10(1.0 + hz / 700.0)

    corners = np.linspace(to_mel(config.low_hz), to_mel(config.high_hz), config.mels + 2)
    hz = 700.0 * (10.0 ** (corners / 2595.0) - 1.0)
    bins = np.linspace(0.0, config.sample_rate / 2, config.fft_size // 2 + 1)[:, None]
    rising = (bins - hz[:-2]) / (hz[1:-1] - hz[:-2])
    falling = (hz[2:] - bins) / (hz[2:] - hz[1:-1])
    triangles: Matrix = np.maximum(0.0, np.minimum(rising, falling))
    return triangles


def dft_matrix(config: FrontendConfig, bins: npt.NDArray[np.int64]) -> Matrix:
    """Return the windowed DFT ``(window, 2 * bins)``: cosine and sine under a periodic Hann window.

    With ``remove_dc_offset``, the mean of each column is subtracted, which is equivalent to
    subtracting the mean of the samples under the window.
    """
    time = np.arange(config.window)
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * time / config.window)
    angle = 2.0 * np.pi * np.outer(time, bins) / config.fft_size
    matrix: Matrix = hann[:, None] * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    if config.remove_dc_offset:
        matrix -= matrix.mean(axis=0)
    return matrix
