"""What an engine is, and how its speech becomes a recording for training."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soxr

from recipes.en_small.trimming import SAMPLE_RATE, Samples, trim

__all__ = ["SAMPLE_RATE", "Engine", "Samples", "Speech", "finish"]

MARGIN_S = 0.2
PEAK = 0.9


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken sentence.

    Attributes:
        samples: 16 kHz, between -1 and 1; empty if the engine could not say it.
        voice: name of the voice, of the blend or of the warp.
        phones: phones and their ends in the form of ``align.py``, or "".
    """

    samples: Samples
    voice: str
    phones: str = ""


class Engine(Protocol):
    """Speaks sentences, each with a voice and a pace drawn from ``dice``."""

    def speak(self, sentence: str, dice: random.Random) -> Speech:
        """Return the spoken sentence; several threads may call this at once."""
        ...


def finish(samples: Samples, rate: float) -> Samples:
    """Resample to 16 kHz, trim silence to 0.2 s on both sides, and lower peaks above 0.9."""
    samples = trim(soxr.resample(samples.astype(np.float32), rate, SAMPLE_RATE), MARGIN_S)
    peak = np.abs(samples).max(initial=0.0)
    return samples * np.float32(PEAK / max(peak, PEAK))
