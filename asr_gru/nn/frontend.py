"""The mel frontend, computed as real matrix products, which torch and ONNX evaluate alike.

Frames are causal: frame ``t`` covers the ``window`` samples that end with sample
``(t + 1) * hop``. The state of a stream is its last ``window - hop`` samples.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asr_gru.model.net_config import FrontendConfig

__all__ = ["SAMPLE_LIMIT", "Frontend", "dft_matrix", "mel_filters"]

SAMPLE_LIMIT = 4.0
"""Samples are clipped to this magnitude, 12 dB above full scale, so that no single sample can
raise the level by more than a few decibels."""

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


class Frontend(nn.Module):
    """Computes mel energies (power; the logarithm is taken after level normalisation)."""

    dft: Tensor
    mel: Tensor

    def __init__(self, config: FrontendConfig) -> None:
        super().__init__()
        self.config = config
        filters = mel_filters(config)
        covered = np.flatnonzero(filters.any(axis=1))
        dft = torch.from_numpy(dft_matrix(config, covered)).float()
        self.register_buffer("dft", dft, persistent=False)
        mel = torch.from_numpy(np.ascontiguousarray(filters[covered])).float()
        self.register_buffer("mel", mel, persistent=False)

    def start(self, batch: int) -> Tensor:
        """Return the initial state, ``(batch, window - hop)``."""
        return self.dft.new_zeros(batch, self.config.window - self.config.hop)

    def forward(self, samples: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mel energies of ``samples (batch, n)``, n a multiple of the hop.

        Returns:
            mel energies ``(batch, n / hop, mels)`` and the next state.
        """
        padded = torch.cat([tail, samples.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT)], dim=1)
        frames = padded.unfold(1, self.config.window, self.config.hop)
        real, imaginary = (frames @ self.dft).chunk(2, dim=-1)
        power = real * real + imaginary * imaginary
        return power @ self.mel, padded[:, padded.shape[1] - tail.shape[1] :]
