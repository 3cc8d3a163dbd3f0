"""Which text a recording gets: that of its corpus, one of several readings, or a teacher's."""

from __future__ import annotations

from collections.abc import Sequence

from asr_gru.scoring import word_errors
from asr_gru.text import normalise
from recipes.en_small.label import Label
from recipes.en_small.speech_layouts import Clip

__all__ = ["choose_reading", "choose_text"]

MOST_ERRORS = 0.34
"""Largest share of words in which a teacher's text may differ from the one that is taken."""

CONFIDENT = -0.25
"""A teacher's text is taken above this mean log-probability of its tokens."""

HEARD = {"to": "two", "too": "two", "for": "four", "ate": "eight", "won": "one", "o": "oh"}
"""Words that a teacher writes for digits."""


def choose_reading(texts: Sequence[str], heard: str) -> str | None:
    """Return the reading nearest to a teacher's text, or ``None`` if none is near."""
    words = " ".join(HEARD.get(word, word) for word in heard.split())
    scores = [(word_errors(text, words).rate / 100, text) for text in texts if text]
    error, best = min(scores, default=(1.0, ""))
    return best if error <= MOST_ERRORS else None


def choose_text(clip: Clip, label: Label | None) -> tuple[str, str]:
    """Return the normalised text and who wrote it, or an empty text and why there is none."""
    texts = list(dict.fromkeys(normalise(text, "english") for text in clip.texts))
    if clip.sure:
        return texts[0], "source"
    if label is None:
        return "", "unlabelled"
    if not texts:
        confident = label.confidence > CONFIDENT
        return (label.text, "teacher") if confident else ("", "teacher not confident")
    chosen = choose_reading(texts, label.text)
    if chosen is None:
        return "", "no reading near the teacher's text"
    return chosen, "source, reading by teacher"
