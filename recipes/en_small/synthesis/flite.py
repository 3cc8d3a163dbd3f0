"""flite (Black and Lenzo 2001), whose phone times are exact because flite made them."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import soundfile

from asr_gru.errors import ConfigError
from asr_gru.text import normalise
from recipes.en_small.synthesis.speech import Speech

__all__ = ["VOICES", "Flite", "phones"]

VOICES = {"slt": 175.0, "awb": 130.0, "rms": 105.0, "kal16": 105.0}
"""16 kHz voices, and the mean pitch of each in hertz."""

PHONES = {"pau": "SIL", "ax": "AH"}
"""flite's phones that PocketSphinx names differently; the others only differ in case."""

TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Flite:
    """The program ``flite``."""

    program: str = "flite"

    def __post_init__(self) -> None:
        """Look for the program.

        Raises:
            ConfigError: it is not installed.
        """
        if shutil.which(self.program) is None:
            raise ConfigError(f"{self.program} is not installed; install it (apt install flite)")

    def speak(self, sentence: str, dice: random.Random) -> Speech:
        """Speak the words of a sentence.

        Raises:
            ConfigError: flite failed.
        """
        voice = dice.choice(list(VOICES))
        pitch, stretch = VOICES[voice] * dice.uniform(0.8, 1.25), dice.uniform(0.75, 1.25)
        settings = [f"duration_stretch={stretch:.2f}", f"int_f0_target_mean={pitch:.0f}"]
        options = ["-voice", voice, "--setf", settings[0], "--setf", settings[1], "-psdur"]
        with tempfile.TemporaryDirectory() as folder:
            text, wave = Path(folder) / "text", Path(folder) / "wave"
            words = normalise(sentence, "english")
            text.write_text(words, encoding="ascii", errors="ignore")
            printed = self._run([*options, "-f", str(text), "-o", str(wave)])
            samples, _ = soundfile.read(wave, dtype="float32")
        return Speech(samples, voice, phones(printed))

    def _run(self, options: list[str]) -> str:
        command = [self.program, *options]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
            )
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip()[-200:] or f"status {error.returncode}"
            raise ConfigError(f"flite failed ({reason}); try another --seed") from None
        except subprocess.TimeoutExpired:
            raise ConfigError(f"flite took more than {TIMEOUT_S} s; run it again") from None
        return done.stdout


def phones(printed: str) -> str:
    """Turn what ``flite -psdur`` prints (``pau:0.246 hh:0.350``) into the form of ``align.py``."""
    pairs = [field.rsplit(":", 1) for field in printed.split()]
    return " ".join(f"{PHONES.get(name, name.upper())} {float(end):.2f}" for name, end in pairs)
