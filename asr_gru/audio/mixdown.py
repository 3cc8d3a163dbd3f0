"""Several channels to one."""

from __future__ import annotations

import numpy as np

from asr_gru.audio.samples import Samples, check_samples

__all__ = ["Mixdown"]

CANCELLED = 0.01
"""Channels cancel out when their mean has less than this share of their energy (-20 dB)."""
SILENT = 1e-10
"""Mean energy (-100 dBFS) below which nothing is said about channels."""


class Mixdown:
    """Average the channels of a recording, unless that would silence it.

    Where one of two channels is the other one inverted, as after a wrongly wired balanced cable,
    the mean is silence; then the louder channel is taken.

    Attributes:
        has_cancelled: whether there was such a block.
    """

    def __init__(self) -> None:
        self.has_cancelled = False

    def mix(self, block: Samples) -> Samples:
        """Return ``block (n, channels)`` as ``(n,)``.

        Raises:
            AudioError: samples that are not numbers.
        """
        mono = check_samples(block)
        if block.shape[1] < 2 or not len(block):
            return mono
        energies = [float(np.dot(channel, channel)) for channel in block.T.astype(np.float32)]
        loudest = max(energies)
        if loudest <= SILENT * len(block) or not np.isfinite(loudest):
            return mono
        if float(np.dot(mono, mono)) >= CANCELLED * loudest / block.shape[1]:
            return mono
        if min(energies) < CANCELLED * loudest:  # one that carries nothing cancels nothing
            return mono
        self.has_cancelled = True
        return check_samples(block[:, energies.index(loudest)])
