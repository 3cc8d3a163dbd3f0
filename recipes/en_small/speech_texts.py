"""Which text a recording gets: that of its corpus, one of several readings, or a teacher's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from asr_gru.scoring import word_errors
from asr_gru.text import normalise
from recipes.en_small.label import Label
from recipes.en_small.speech_layouts import Clip

__all__ = ["choose_reading", "choose_text", "vote"]

MOST_ERRORS = 0.34
"""Largest share of words in which a teacher's text may differ from the one that is taken."""

CONFIDENT = -0.25
"""A teacher's text is taken above this mean log-probability of its tokens."""

MOST_DISAGREEMENT = 0.15
"""Largest mean share of words in which a teacher's texts of one sentence may differ."""

FEWEST_SPEAKERS = 3

HEARD = {"to": "two", "too": "two", "for": "four", "ate": "eight", "won": "one", "o": "oh"}
"""Words that a teacher writes for digits."""


def choose_reading(texts: Sequence[str], heard: str) -> str | None:
    """Return the reading nearest to a teacher's text, or ``None`` if none is near."""
    words = " ".join(HEARD.get(word, word) for word in heard.split())
    scores = [(word_errors(text, words).rate / 100, text) for text in texts if text]
    error, best = min(scores, default=(1.0, ""))
    return best if error <= MOST_ERRORS else None


def vote(heard: Iterable[tuple[str, Label]]) -> dict[str, str]:
    """Return of each sentence the teacher's text that is nearest to its texts of all speakers.

    Of equally near texts the one with the highest confidence wins. A sentence is left out if fewer
    than three speakers read it, or if the texts differ too much.
    """
    labels: defaultdict[str, list[Label]] = defaultdict(list)
    for sentence, label in heard:
        if label.text:
            labels[sentence].append(label)
    texts = {}
    for sentence, of_speakers in labels.items():
        if len(of_speakers) < FEWEST_SPEAKERS:
            continue
        errors = [
            sum(word_errors(label.text, other.text).rate for other in of_speakers)
            for label in of_speakers
        ]
        best = min(range(len(errors)), key=lambda i: (errors[i], -of_speakers[i].confidence))
        if errors[best] / 100 <= MOST_DISAGREEMENT * (len(errors) - 1):
            texts[sentence] = of_speakers[best].text
    return texts


def choose_text(clip: Clip, label: Label | None, voted: Mapping[str, str]) -> tuple[str, str]:
    """Return the normalised text and who wrote it, or an empty text and why there is none."""
    texts = list(dict.fromkeys(normalise(text, "english") for text in clip.texts))
    if clip.sure:
        return texts[0], "source"
    if label is None:
        return "", "unlabelled"
    if clip.sentence:
        text = voted.get(clip.sentence, "")
        if not text or word_errors(text, label.text).rate / 100 > MOST_ERRORS:
            return "", "teacher's texts of the sentence differ"
        return text, "teacher, vote over speakers"
    if not texts:
        confident = label.confidence > CONFIDENT
        return (label.text, "teacher") if confident else ("", "teacher not confident")
    chosen = choose_reading(texts, label.text)
    if chosen is None:
        return "", "no reading near the teacher's text"
    return chosen, "source, reading by teacher"
