"""What an engine is, and how its speech becomes a recording for training."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soxr

__all__ = ["SAMPLE_RATE", "Engine", "Samples", "Speech", "finish"]

SAMPLE_RATE = 16_000
FRAME = 160
SPEECH_DB = 40.0
"""Frames this far below the loudest one are no speech."""

MARGIN_FRAMES = 20
PEAK = 0.9

Samples = npt.NDArray[np.float32]


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
    samples = soxr.resample(samples.astype(np.float32), rate, SAMPLE_RATE)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    energy = (frames**2).mean(axis=1)
    if not energy.any():
        return samples[:0]
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-SPEECH_DB / 10))
    first, last = max(0, loud[0] - MARGIN_FRAMES), loud[-1] + 1 + MARGIN_FRAMES
    samples = samples[first * FRAME : last * FRAME]
    return samples * np.float32(min(1.0, PEAK / np.abs(samples).max()))
