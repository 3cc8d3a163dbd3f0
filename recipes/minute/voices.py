"""Voices: flite, eSpeak NG, and tones for machines that have neither."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asr_gru.errors import ConfigError

__all__ = ["SYNTHESISERS", "Synthesiser", "choose_synthesiser"]

RATE = 16_000
TIMEOUT_S = 120
FLITE = {"slt": 175.0, "awb": 130.0, "rms": 105.0, "kal16": 105.0}
"""16 kHz voices of flite, and the mean pitch of each in hertz."""
ESPEAK = tuple(f"{accent}+{voice}" for accent in ("en-us", "en-gb") for voice in ("m3", "f2", "m7"))


@dataclass(frozen=True, slots=True)
class Synthesiser:
    """Speaks a text into a file.

    Attributes:
        program: the program that it runs, or "" for none.
        speak: writes ``text`` to a WAV file, with a voice, pace and pitch drawn from ``dice``;
            returns the name of the voice.
    """

    program: str
    speak: Callable[[str, Path, random.Random], str]


def _flite(text: str, path: Path, dice: random.Random) -> str:
    voice = dice.choice(list(FLITE))
    pitch_hz = FLITE[voice] * dice.uniform(0.9, 1.15)
    pace, pitch = dice.uniform(1.0, 1.3), f"int_f0_target_mean={pitch_hz:.0f}"
    settings = ["--setf", f"duration_stretch={pace:.2f}", "--setf", pitch]
    _run(["flite", "-voice", voice, *settings, "-t", text, "-o", str(path)])
    return voice


def _espeak(text: str, path: Path, dice: random.Random) -> str:
    voice = dice.choice(ESPEAK)
    pace, pitch = dice.randint(120, 155), dice.randint(35, 65)
    settings = ["-v", voice, "-s", str(pace), "-p", str(pitch)]
    _run(["espeak-ng", *settings, "-w", str(path), text])
    return voice


def _tones(text: str, path: Path, dice: random.Random) -> str:
    """Play two tones at once for each letter, as a telephone does for each digit."""
    shift, pace = dice.uniform(0.97, 1.03), dice.uniform(0.9, 1.2)
    time = np.arange(round(0.07 * pace * RATE)) / RATE
    fade = np.minimum(1.0, np.minimum(np.arange(len(time)), np.arange(len(time))[::-1]) / 160)
    gap = np.zeros(round(0.02 * pace * RATE))
    pieces = []
    for letter in text:
        if letter == " ":
            pieces.append(np.zeros(len(time)))
            continue
        row, column = divmod(ord(letter) - ord("a"), 6)
        pair = 400.0 * 1.3**row, 1800.0 * 1.17**column
        tones = sum(np.sin(2 * np.pi * shift * hz * time) for hz in pair)
        pieces += [0.1 * fade * tones, gap]
    soundfile.write(path, np.concatenate(pieces), RATE)
    return "tones"


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip()[-200:] or f"status {error.returncode}"
        raise ConfigError(f"{command[0]} failed ({reason}); try another --voice") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{command[0]} took more than {TIMEOUT_S} s; run it again") from None


SYNTHESISERS: Mapping[str, Synthesiser] = {
    "flite": Synthesiser("flite", _flite),
    "espeak-ng": Synthesiser("espeak-ng", _espeak),
    "tones": Synthesiser("", _tones),
}
"""In the order in which ``auto`` looks for them."""


def choose_synthesiser(name: str) -> tuple[str, Synthesiser]:
    """Return a synthesiser and its name; ``auto`` is the first that is installed.

    Raises:
        ConfigError: the program is not installed.
    """
    if name == "auto":
        name = next(n for n, s in SYNTHESISERS.items() if not s.program or shutil.which(s.program))
    synthesiser = SYNTHESISERS[name]
    if synthesiser.program and shutil.which(synthesiser.program) is None:
        raise ConfigError(
            f"{synthesiser.program} is not installed; "
            f"install it (apt install {synthesiser.program}), or give --voice tones"
        )
    return name, synthesiser
