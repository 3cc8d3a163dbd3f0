"""Cutting recordings to what is spoken in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["SAMPLE_RATE", "Samples", "trim"]

SAMPLE_RATE = 16_000
FRAME = 160
SPEECH_DB = 40.0
"""Frames this far below the loud ones (the 95th percentile) are no speech."""

Samples = npt.NDArray[np.float32]


def trim(samples: Samples, margin_s: float) -> Samples:
    """Cut 16 kHz ``samples (n,)`` to ``margin_s`` seconds around the speech; empty without any."""
    frames = len(samples) // FRAME
    power = (samples[: frames * FRAME].reshape(frames, FRAME) ** 2).mean(axis=1)
    if not power.any():
        return samples[:0]
    level = 10.0 * np.log10(power + 1e-10)
    loud = np.flatnonzero(level > np.percentile(level, 95) - SPEECH_DB)
    margin = round(margin_s * SAMPLE_RATE)
    begin, end = int(loud[0]) * FRAME - margin, (int(loud[-1]) + 1) * FRAME + margin
    return samples[max(begin, 0) : end]
