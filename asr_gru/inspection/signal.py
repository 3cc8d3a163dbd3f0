"""Level, clipping and silence of a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asr_gru.audio import Samples

__all__ = ["SignalMeasures", "measure"]

FRAME_S = 0.02
ACTIVE_DB = 30.0
"""Frames that are further below the loud ones (the 95th percentile) are silent, ..."""
SILENT_DB = -65.0
"""... and so are frames below this level."""
FULL_SCALE = 0.985


@dataclass(frozen=True, slots=True)
class SignalMeasures:
    """Measures of the samples of an utterance.

    Attributes:
        duration_s: duration in seconds.
        level_db: mean power of the frames that are not silent, in dB of full scale; -120 for
            digital silence.
        silent_ratio: ratio of silent frames, 0 to 1.
        clipped_ratio: ratio of samples at full scale, 0 to 1.
    """

    duration_s: float
    level_db: float
    silent_ratio: float
    clipped_ratio: float

    @property
    def active_s(self) -> float:
        """Seconds that are not silent."""
        return self.duration_s * (1.0 - self.silent_ratio)


def measure(samples: Samples, sample_rate: int) -> SignalMeasures:
    """Measure ``samples (n,)``, which must not be empty."""
    size = max(1, min(len(samples), round(FRAME_S * sample_rate)))
    frames = samples[: len(samples) - len(samples) % size].reshape(-1, size)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    level = 10.0 * np.log10(power + 1e-12)
    active = level > max(float(np.quantile(level, 0.95)) - ACTIVE_DB, SILENT_DB)
    mean = float(power[active].mean()) if active.any() else 0.0
    return SignalMeasures(
        duration_s=len(samples) / sample_rate,
        level_db=float(10.0 * np.log10(mean + 1e-12)),
        silent_ratio=1.0 - float(active.mean()),
        clipped_ratio=float(np.mean(np.abs(samples) >= FULL_SCALE)),
    )
