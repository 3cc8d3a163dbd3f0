"""Mixing of channels to mono."""

from __future__ import annotations

import numpy as np

from asr_gru.audio.samples import Samples, check_samples

__all__ = ["Mixdown"]

CANCELLATION_RATIO = 0.01
"""Channels cancel out if their mean has less than this fraction of their energy (-20 dB)."""
SILENCE_ENERGY = 1e-10
"""Mean energy (-100 dBFS) below which channels are not compared."""


class Mixdown:
    """Averages the channels of a recording, unless they cancel out.

    If one of two channels is phase-inverted, as behind a miswired balanced cable, their mean is
    silence; the louder channel is used instead.

    Attributes:
        phase_cancelled: whether any block cancelled out.
    """

    def __init__(self) -> None:
        self.phase_cancelled = False

    def mix(self, block: Samples) -> Samples:
        """Mix ``block (n, channels)`` down to ``(n,)``.

        Raises:
            AudioError: NaN or infinite samples.
        """
        mono = check_samples(block)
        if block.shape[1] < 2 or not len(block):
            return mono
        energies = [float(np.dot(channel, channel)) for channel in block.T.astype(np.float32)]
        loudest = max(energies)
        if loudest <= SILENCE_ENERGY * len(block) or not np.isfinite(loudest):
            return mono
        if float(np.dot(mono, mono)) >= CANCELLATION_RATIO * loudest / block.shape[1]:
            return mono
        if min(energies) < CANCELLATION_RATIO * loudest:  # a silent channel cancels nothing
            return mono
        self.phase_cancelled = True
        return check_samples(block[:, energies.index(loudest)])
