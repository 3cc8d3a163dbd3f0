"""Which text a recording gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes.en_small.label import Label
from recipes.en_small.speech_layouts import Clip
from recipes.en_small.speech_texts import choose_reading, choose_text, vote


def heard(text, confidence=-0.1):
    return Label(Path("a.opus"), text, confidence)


def votes(*texts):
    return vote(("1", heard(text, -0.1 - index / 100)) for index, text in enumerate(texts))


def test_a_distant_reading_is_rejected():
    readings = ["three zero five", "three oh five"]
    assert choose_reading(readings, "three o five") == "three oh five"
    assert choose_reading(readings, "good morning") is None
    assert choose_reading([], "three") is None


def test_the_text_nearest_to_all_others_wins():
    texts = (
        "the very side of the island relaxed the cords",
        "the very side of the island relaxed the cords",
        "the very sight of the island relaxed the cords",
        "the very sight of an island relaxed the cords",
        "the very sight of the island relaxed the chords",
    )
    assert votes(*texts) == {"1": texts[2]}


def test_of_equally_near_texts_the_confident_one_wins():
    texts = ["we went down to the water again and again", "we went down to a water again and again"]
    assert votes(*texts, *reversed(texts)) == {"1": texts[0]}
    assert votes(*reversed(texts), *texts) == {"1": texts[1]}


@pytest.mark.parametrize(
    "texts", [("alone",), ("two of us", "two of us"), ("", "", "one"), ("a b", "a c", "a d")]
)
def test_few_or_different_texts_elect_none(texts):
    assert votes(*texts) == {}


def test_a_speaker_who_said_something_else_is_left_out():
    clip = Clip("a.wav", (), "SF1", sure=False, sentence="1")
    voted = {"1": "but they did not count"}
    assert choose_text(clip, heard("but day did not count"), voted) == (
        "but they did not count",
        "teacher, vote over speakers",
    )
    for label, texts in ((heard("good morning"), voted), (heard("but they did not count"), {})):
        text, reason = choose_text(clip, label, texts)
        assert not text
        assert "differ" in reason


def test_a_confident_text_of_the_teacher_is_taken():
    clip = Clip("a.flac", (), "78", sure=False)
    assert choose_text(clip, heard("a letter", -0.2), {}) == ("a letter", "teacher")
    assert choose_text(clip, heard("a letter", -0.3), {}) == ("", "teacher not confident")
    assert choose_text(clip, None, {}) == ("", "unlabelled")


def test_the_text_of_the_corpus_needs_no_teacher():
    assert choose_text(Clip("a.wav", ("Cell 14",)), None, {}) == ("cell fourteen", "source")
