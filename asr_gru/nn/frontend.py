"""The mel frontend as real matrix products, for which torch and ONNX give equal results.

Frames are causal: frame ``t`` covers the ``window`` samples that end with sample
``(t + 1) * hop``. The state of a stream is its last ``window - hop`` samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asr_gru.model.net_config import FrontendConfig
from asr_gru.nn.filterbank import dft_matrix, mel_filters

__all__ = ["SAMPLE_LIMIT", "Frontend", "log_mel_db"]

SAMPLE_LIMIT = 4.0
"""Samples are clipped to this magnitude, 12 dB above full scale, so that no single sample can
raise the level by more than a few decibels."""


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


def log_mel_db(samples: npt.NDArray[np.float32], config: FrontendConfig) -> npt.NDArray[np.float32]:
    """Return the log-mel energies of a recording in dB, ``(frames, mels)``, for pictures."""
    frontend = Frontend(config)
    whole = torch.from_numpy(samples[: len(samples) - len(samples) % config.hop])
    with torch.no_grad():
        mel, _ = frontend(whole[None], frontend.start(1))
    return np.asarray(10.0 * torch.log10(mel[0] + 1e-10).numpy(), np.float32)
