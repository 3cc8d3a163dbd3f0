"""Kokoro-82M (Apache-2.0) in ONNX, and blends of its voices."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from asr_gru.errors import ConfigError
from recipes.en_small.synthesis.ipa import SYMBOLS, phonemise
from recipes.en_small.synthesis.speech import Samples, Speech, finish

__all__ = ["Kokoro", "read_voices"]

SAMPLE_RATE = 24_000
STYLE = 256
SPEED = (0.8, 1.25)
BLENDS = 0.6
"""Share of the sentences that a blend of two voices speaks."""

WEIGHTS = (0.5, 0.6, 0.7, 0.8)
"""Weights of the first voice of a blend."""


def read_voices(folder: Path) -> dict[str, Samples]:
    """Read the English voices of a folder: a row of styles for each number of phonemes.

    Raises:
        ConfigError: there are none, or a file is no table of styles.
    """
    voices = {}
    for path in sorted(folder.glob("[ab][fm]_*.bin")):
        table = np.fromfile(path, np.float32) if path.stat().st_size % (4 * STYLE) == 0 else None
        if table is None or not table.size:
            raise ConfigError(f"{path}: not rows of {STYLE} float32 numbers; unpack it again")
        voices[path.stem] = table.reshape(-1, STYLE)
    if not voices:
        raise ConfigError(f"{folder}: no voices (af_*.bin, bm_*.bin); give the folder as --voices")
    return voices


@dataclass(slots=True)
class Kokoro:
    """The model and its voices.

    Attributes:
        model: the ONNX model, with the inputs tokens, style and speed.
        voices: folder of style tables.
    """

    model: Path
    voices: Path
    _session: Any = field(init=False, repr=False)
    _tables: dict[str, Samples] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Load the model.

        Raises:
            ConfigError: it cannot be loaded, or there are no voices.
        """
        self._tables = read_voices(self.voices)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(self.model), options)
        except Exception as error:  # noqa: BLE001  its errors share no narrower class
            reason = str(error).splitlines()[0][:200]
            raise ConfigError(f"{self.model}: {reason}; give Kokoro's ONNX as --model") from None

    def speak(self, sentence: str, dice: random.Random) -> Speech:
        """Speak a sentence with a voice or a blend of two with the same accent."""
        voice, table = self._draw_voice(dice)
        tokens = [SYMBOLS[symbol] for symbol in phonemise(sentence, voice[0])]
        speed = dice.uniform(*SPEED)
        if not 0 < len(tokens) < len(table):
            return Speech(np.zeros(0, np.float32), voice)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": table[len(tokens)][None],
            "speed": np.array([speed], np.float32),
        }
        (samples,) = self._session.run(["audio"], inputs)
        return Speech(finish(samples, SAMPLE_RATE), voice)

    def _draw_voice(self, dice: random.Random) -> tuple[str, Samples]:
        first = dice.choice(list(self._tables))
        others = [name for name in self._tables if name[0] == first[0] and name != first]
        if not others or dice.random() > BLENDS:
            return first, self._tables[first]
        second, weight = dice.choice(others), dice.choice(WEIGHTS)
        table = weight * self._tables[first] + (1 - weight) * self._tables[second]
        return f"{first}+{second}-{weight}", table.astype(np.float32)
