"""Which text a recording gets."""

from __future__ import annotations

from pathlib import Path

from recipes.en_small.label import Label
from recipes.en_small.speech_layouts import Clip
from recipes.en_small.speech_texts import choose_reading, choose_text


def heard(text, confidence=-0.1):
    return Label(Path("a.opus"), text, confidence)


def test_a_distant_reading_is_rejected():
    readings = ["three zero five", "three oh five"]
    assert choose_reading(readings, "three o five") == "three oh five"
    assert choose_reading(readings, "good morning") is None
    assert choose_reading([], "three") is None


def test_a_confident_text_of_the_teacher_is_taken():
    clip = Clip("a.flac", (), "78", sure=False)
    assert choose_text(clip, heard("a letter", -0.2)) == ("a letter", "teacher")
    assert choose_text(clip, heard("a letter", -0.3)) == ("", "teacher not confident")
    assert choose_text(clip, None) == ("", "unlabelled")


def test_the_text_of_the_corpus_needs_no_teacher():
    assert choose_text(Clip("a.wav", ("Cell 14",)), None) == ("cell fourteen", "source")
