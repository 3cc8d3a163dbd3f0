"""The repositories that ``collect_speech.py`` takes recordings from."""

from __future__ import annotations

from dataclasses import dataclass

from recipes.en_small import speech_layouts as layouts
from recipes.en_small.speech_layouts import Layout

__all__ = ["SOURCES", "Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """A repository with recordings.

    Attributes:
        repository: ``owner/name``.
        commit: the commit the list was made from.
        pattern: matches the paths of the recordings.
        layout: finds their texts and speakers.
        limit: number of clips to take of each text, the first by path; 0 takes all.
    """

    repository: str
    commit: str
    pattern: str
    layout: Layout
    limit: int = 0


SOURCES = {
    "grid-s1": Source(
        "TVR28/LipNet",
        "7cdd534",
        r"^data/s1/.*\.mpg$",
        layouts.read_grid,
    ),
    "coffee-orders": Source(
        "Picovoice/speech-to-intent-benchmark",
        "47b1ca6",
        r"^data/speech/clean/.*\.wav$",
        layouts.read_coffee,
    ),
    "alphanumeric": Source(
        "Sakshee5/alphanumeric-audio-dataset",
        "6c9a38e",
        r"^audio_data/.*\.wav$",
        layouts.read_alphanumeric,
    ),
    "vctk-p239": Source(
        "avgaydashenko/speech-recognition-hw",
        "68ae13611fe455889a813d130847129024c44f2b",
        r"^data/VCTK-Corpus/wav48/.*\.wav$",
        layouts.read_vctk_copy,
    ),
    "wake-words": Source(
        "Picovoice/wake-word-benchmark",
        "8491919",
        r"^audio/(computer|jarvis|smart mirror|snowboy|view glass)/.*\.wav$",
        layouts.name_of_folder,
        limit=60,
    ),
    "community-wake-words": Source(
        "OpenVoiceOS/ovos-ww-community-dataset",
        "914a793",
        r"^wake-words/en/.*\.wav$",
        layouts.name_of_folder,
        limit=40,
    ),
    "community-words": Source(
        "OpenVoiceOS/ovos-ww-community-dataset",
        "914a793",
        r"^not-wake-words/en/.*\.wav$",
        layouts.read_community_words,
    ),
    "audiomnist-part": Source(
        "epljakic/Spoken-Digit-Recognition",
        "edd1f29",
        r"^(zero|one|two|three)/.*\.wav$",
        layouts.name_of_folder,
    ),
    "speech-commands-part": Source(
        "vinsis/speech-commands-recognition",
        "53317d5",
        r"^speech_commands_v0.01/[a-z]+/.*\.wav$",
        layouts.name_of_folder,
    ),
    "gcompris-words": Source(
        "gcompris/GCompris-voices",
        "c0e8a743b7b4633af06b8dc15bc2b397e456dd6f",
        r"^en/words/[a-z_]+\.ogg$",
        layouts.name_of_file,
    ),
    "commonvoice-1-test": Source(
        "Venkateshbhakthavat/Project-Discussion",
        "79e7b2c9a86d7c3c8aeeb12d5335661b4a848d4f",
        r"cv-valid-test/.*\.mp3$",
        layouts.read_common_voice_1,
    ),
    "librispeech-40-78": Source(
        "kkulesz/Voice_conversion_with_CycleGAN-VC2",
        "24c492bd821e76b8335eff057b05c9e886477233",
        r"^data/LibriSpeech/.*\.flac$",
        layouts.read_librispeech,
    ),
    "asterisk": Source(
        "wehup/asterisk-sounds",
        "e914b7035cfe6080e57548dbd33d3801a6eead86",
        r"^en/.*\.wav$",
        layouts.read_asterisk,
    ),
    "joanne": Source(
        "pinkywafer/TX_soundpack-Joanne",
        "018e2b33679ca4c82e19132423ee69088cdcc0c6",
        r"^en/.*\.wav$",
        layouts.read_joanne,
    ),
}
"""README.md has their licences."""
