"""hibari (Apache-2.0): one fast voice, whose vocal tract, pitch and pace are warped.

The network predicts the pitch apart from the spectrum, so it is scaled before the waveform is
made. Playing the waveform faster or slower then shifts the formants, as a shorter or longer
vocal tract does; pitch and pace are chosen beforehand such that this does not change them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asr_gru.errors import ConfigError
from recipes.en_small.synthesis.speech import Speech, finish

__all__ = ["Hibari"]

TRACTS = (0.84, 0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)
"""Factors of the formants; below 1 is a longer tract than the voice's."""

PITCHES = (0.55, 0.65, 0.75, 0.85, 1.0, 1.15)
SPEED = (0.8, 1.25)


@dataclass(slots=True)
class Hibari:
    """The package ``hibari-tts`` with the voice that it contains."""

    _voice: Any = field(init=False, repr=False)
    _waveform: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Load the package.

        Raises:
            ConfigError: it is not installed.
        """
        try:
            from hibari import Hibari as Voice
            from hibari import dsp
        except ModuleNotFoundError:
            raise ConfigError("hibari is not installed; run: pip install hibari-tts") from None
        self._voice, self._waveform = Voice(), dsp.synth

    def speak(self, sentence: str, dice: random.Random) -> Speech:
        """Speak a sentence with a drawn tract, pitch and pace."""
        tract, pitch, speed = dice.choice(TRACTS), dice.choice(PITCHES), dice.uniform(*SPEED)
        noise = np.random.default_rng(dice.getrandbits(32))
        pieces = []
        for phonemes in self._voice.phonemize(sentence):
            ids = np.array([self._voice.ids(phonemes)], np.int64)
            inputs = {"ids": ids, "speed": np.array([speed / tract], np.float32)}
            *spectra, f0 = (output[0] for output in self._voice.sess.run(None, inputs))
            pieces.append(self._waveform(*spectra, f0 * np.float32(pitch / tract), noise))
        samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        rate = self._voice.sample_rate * tract
        return Speech(finish(samples, rate), f"tract{tract}-pitch{pitch}")
