"""Sentences as Kokoro's phonemes, from the IPA that ``espeak-ng`` prints."""

from __future__ import annotations

import re
import subprocess

from asr_gru.errors import ConfigError

__all__ = ["SYMBOLS", "convert", "phonemise"]

SYMBOLS: dict[str, int] = {
    **dict(zip(";:,.!?", range(1, 7), strict=True)),
    **dict(zip(" AIOQSTWYᵊ", (16, 24, 25, 31, 33, 35, 36, 39, 41, 42), strict=True)),
    **dict(zip("abcdef", range(43, 49), strict=True)),
    **dict(zip("hijklmnopqrstuvwxyz", range(50, 69), strict=True)),
    **dict(zip("ɑɐɒæɔð", (69, 70, 71, 72, 76, 81), strict=True)),
    **dict(zip("ʤəɛɜɡɪŋ", (82, 83, 86, 87, 92, 102, 112), strict=True)),
    **dict(zip("θɹɾʃʧʊʌʒ", (119, 123, 125, 131, 133, 135, 138, 147), strict=True)),
    **dict(zip("ˈˌːᵻ", (156, 157, 158, 177), strict=True)),
}
"""Kokoro's number of each symbol of English; 0 is the padding."""

BOTH = {
    "a^ɪ": "I",
    "a^ʊ": "W",
    "e^ɪ": "A",
    "o^ʊ": "O",
    "ə^ʊ": "Q",
    "ɔ^ɪ": "Y",
    "ə^l": "ᵊl",
    "d^ʒ": "ʤ",
    "t^ʃ": "ʧ",
    "n\u0329": "ᵊn",
    "l\u0329": "ᵊl",
    "ɚɹ": "əɹ",
    "ɚ": "əɹ",
    "ʔ": "t",
    "r": "ɹ",
    "x": "k",
    "ç": "k",
    "ɬ": "l",
    "ɐ": "ə",
}
AMERICAN = {"ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ː": "", "ɾ": "T", "o": "ɔ"}
BRITISH = {"e^ə": "ɛː", "i^ə": "iə", "a": "æ", "o": "ɔ"}
"""What eSpeak NG prints (``^`` ties letters to one sound) and what Kokoro was trained with."""

PIECE = re.compile(r"((?:[^;:,.!?]|(?<=\d)[:,.](?=\d))+)([;:,.!?]*)")
"""Words and the punctuation after them; that within a number, as in 2,000, belongs to the words."""

VOICES = {"a": "en-us", "b": "en-gb-x-rp"}
"""eSpeak NG's voice for each accent, American and British."""


def convert(ipa: str, accent: str) -> str:
    """Turn eSpeak NG's IPA into Kokoro's symbols; other characters are left out."""
    for theirs, ours in (BOTH | (AMERICAN if accent == "a" else BRITISH)).items():
        ipa = ipa.replace(theirs, ours)
    return "".join(symbol for symbol in ipa if symbol in SYMBOLS)


def phonemise(sentence: str, accent: str) -> str:
    """Return the phonemes of a sentence, with its punctuation.

    Raises:
        ConfigError: eSpeak NG is not installed, or fails.
    """
    pieces = PIECE.findall(sentence)
    spoken = [convert(_espeak(words, VOICES[accent]), accent) + end[:1] for words, end in pieces]
    return " ".join(piece for piece in spoken if piece)


def _espeak(words: str, voice: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", voice, "--stdin"]
    try:
        done = subprocess.run(
            command, input=words, capture_output=True, text=True, check=True, timeout=60
        )
    except FileNotFoundError:
        raise ConfigError("espeak-ng is not installed; run: apt install espeak-ng") from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"espeak-ng failed ({error}); install version 1.51 or later") from None
    return " ".join(done.stdout.split())
