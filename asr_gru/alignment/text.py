"""A text as words to align: each as it is written, and as it is spoken."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from asr_gru.errors import DataError
from asr_gru.text import normalise

__all__ = ["TextWord", "read_text"]

ABBREVIATION = re.compile(r"(?:\b(?:mr|mrs|ms|dr|st|prof|vs|etc|no)|\b[a-z])\.$", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|\n\s*\n")
MAX_CHARACTERS = 50_000_000


@dataclass(frozen=True, slots=True)
class TextWord:
    """A word of a text.

    Attributes:
        written: as it stands in the text, with its punctuation; several written words are one
            where they are spoken together, such as ``$20 million``, and a dash belongs to the
            word before it.
        spoken: its spoken words, at least one.
        sentence: the number of its sentence, from 0.
    """

    written: str
    spoken: tuple[str, ...]
    sentence: int


def read_text(text: str, normaliser: Literal["none", "basic", "english"]) -> list[TextWord]:
    """Split a text into words.

    Sentences end at their punctuation and at empty lines; in a text that has neither, each line
    is one.

    Raises:
        DataError: no words, or a text of more than 50 million characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise DataError(f"a text of more than {MAX_CHARACTERS} characters; split it")
    text = text.replace("\r\n", "\n").strip()
    ends = [
        match.end()
        for match in SENTENCE_END.finditer(text)
        if not ABBREVIATION.search(text, max(0, match.start() - 8), match.start())
    ]
    if not ends:
        ends = [match.end() for match in re.finditer("\n", text)]
    words: list[TextWord] = []
    unspoken: list[str] = []
    sentence = 0
    for first, end in zip([0, *ends], [*ends, len(text)], strict=True):
        is_begun = False
        for word in _words(text[first:end].split(), sentence, normaliser):
            if word.spoken:
                joined = " ".join([*unspoken, word.written])
                words.append(TextWord(joined, word.spoken, sentence))
                unspoken, is_begun = [], True
            elif words:
                last = words.pop()
                joined = f"{last.written} {word.written}"
                words.append(TextWord(joined, last.spoken, last.sentence))
            else:
                unspoken.append(word.written)
        sentence += is_begun
    if not words:
        raise DataError("the text has no words; give what is said in the recording")
    return words


def _words(
    written: list[str], sentence: int, normaliser: Literal["none", "basic", "english"]
) -> list[TextWord]:
    spoken = normalise(" ".join(written), normaliser).split()
    apart = [normalise(word, normaliser).split() for word in written]
    if [word for words in apart for word in words] == spoken:
        return [
            TextWord(word, tuple(said), sentence) for word, said in zip(written, apart, strict=True)
        ]
    # Words whose spoken form depends on their neighbours are merged with them.
    owner = [place for place, words in enumerate(apart) for _ in words]
    matcher = difflib.SequenceMatcher(
        None, [word for words in apart for word in words], spoken, autojunk=False
    )
    said: list[list[str]] = [[] for _ in written]
    first = list(range(len(written)))
    for kind, low, high, begin, behind in matcher.get_opcodes():
        if kind == "equal":
            for place, word in zip(owner[low:high], spoken[begin:behind], strict=True):
                said[place].append(word)
            continue
        places = owner[low:high] or owner[max(0, low - 1) : low] or [0]
        said[places[0]] += spoken[begin:behind]
        for place in range(places[0] + 1, places[-1] + 1):
            first[place] = places[0]
    groups: dict[int, list[int]] = {}
    for place, head in enumerate(first):
        while first[head] != head:
            head = first[head]
        groups.setdefault(head, []).append(place)
    return [
        TextWord(
            " ".join(written[place] for place in places),
            tuple([word for place in places for word in said[place]]),
            sentence,
        )
        for places in groups.values()
    ]
