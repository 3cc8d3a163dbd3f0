"""Texts and speakers of recordings, as repositories keep them."""

from __future__ import annotations

import pytest

from recipes.en_small import speech_layouts

CORE = """\
; Core sounds
agent-pass: Please enter your password.
beep: [a simple beep tone]
followme/options.wav: press 1 to accept this call
for: For
silence/1: one second
dir-411: dial 411 or 500
touchtone: one of those 21'st century things
poem: Once there was an elephant,
Who tried to use the telephant.
"""
EXTRA = """\
for: for
to-operator: to reach an operator
to-operator: To reach the operator
"""


def read_asterisk(*names):
    texts = {"en/core-sounds-en.txt": CORE, "en/extra-sounds-en.txt": EXTRA}
    paths = [f"en/{name}.wav" for name in names]
    return list(speech_layouts.read_asterisk(paths, texts.__getitem__))


def test_prompts_are_listed_by_name():
    clips = read_asterisk("agent-pass", "followme/options", "for", "unlisted")
    assert [clip.texts for clip in clips] == [
        ("Please enter your password.",),
        ("press 1 to accept this call",),
        ("for",),  # the two lists agree
    ]
    assert {(clip.sure, clip.speaker) for clip in clips} == {(True, "allison")}


def test_what_is_not_spoken_as_written_is_left_out():
    assert not read_asterisk("beep", "silence/1", "touchtone", "poem", "dir-411")


def test_two_texts_leave_the_reading_open():
    (twice,) = read_asterisk("to-operator")
    assert twice.texts == ("to reach an operator", "To reach the operator")
    assert not twice.sure


def test_prompts_of_a_remote_control_are_in_a_table():
    table = (
        "spoken,OpenTX 2.3,OpenTx 2.2\n"
        "12,\\SYSTEM\\0012.wav,\\SYSTEM\\0012.wav\n"
        "Horn sound!,\\horn.wav,\\horn.wav\n"
        "gear up,\\gearup.wav,\\gearup.wav\n"
        "FPV250 Quad,\\fpv250.wav,\\fpv250.wav\n"
        "RPM,\\lost.wav,\\lost.wav\n"
    )
    paths = ["en/SYSTEM/0012.wav", "en/fpv250.wav", "en/gearup.wav", "en/horn.wav"]
    clips = list(speech_layouts.read_joanne(paths, lambda _path: table))
    assert [(clip.blob, clip.texts, clip.sure) for clip in clips] == [
        ("en/SYSTEM/0012.wav", ("12",), True),
        ("en/gearup.wav", ("gear up",), True),
    ]


def test_names_tell_the_speaker():
    (clip,) = speech_layouts.read_librispeech(["training/male/78-368-0019.flac"], str)
    assert (clip.texts, clip.speaker, clip.sure) == ((), "78", False)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("25", "twenty five"),
        ("305", "three oh five"),
        ("300", "three hundred"),
        ("1200", "twelve hundred"),
        ("2000", "two thousand"),
        ("4905", "forty nine oh five"),
    ],
)
def test_numbers_are_read_by_hundreds_and_tens(number, expected):
    table = f"Response_ID,file_name,Address\nR1,audio/Addresses/a.wav,{number} Elm Street\n"
    (clip,) = speech_layouts.read_alphanumeric(["audio/Addresses/a.wav"], lambda _path: table)
    assert clip.texts[-1] == f"{expected} elm street"
