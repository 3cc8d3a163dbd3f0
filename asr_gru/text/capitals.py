"""Capital letters for names, ``I`` and the first word, and titles before names."""

from __future__ import annotations

from collections.abc import Sequence, Set

from asr_gru.text.names import AMBIGUOUS_MONTHS, NAMES, PHRASES
from asr_gru.text.spoken_numbers import CARDINALS, ORDINALS

__all__ = ["with_capitals"]

TITLES = {"mister": "Mr.", "missus": "Mrs."}
BEFORE_MONTH = frozenset({"in", "since", "until", "of", "last", "next", "early", "late", "by"})


def with_capitals(words: Sequence[str], numbers: Set[int]) -> list[str]:
    """Return the words with capitals; ``numbers`` are the places of what is written in digits."""
    cased = [
        _capital(word) if _is_name(words, at, numbers) else word for at, word in enumerate(words)
    ]
    for at in range(len(words)):
        for length in (3, 2):
            phrase = PHRASES.get(tuple(words[at : at + length]))
            if phrase:
                cased[at : at + length] = phrase
        title = TITLES.get(words[at])
        follows = at + 1 < len(words) and at + 1 not in numbers and words[at + 1][0].isalpha()
        if title and follows and words[at + 1] not in CARDINALS | ORDINALS:
            cased[at], cased[at + 1] = title, _capital(words[at + 1])
        elif words[at] == "doctor" and follows and words[at + 1] in NAMES:
            cased[at] = "Dr."
    if cased:
        cased[0] = _capital(cased[0])
    return cased


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _is_name(words: Sequence[str], at: int, numbers: Set[int]) -> bool:
    word = words[at].removesuffix("'s").removesuffix("'")
    if word == "i" or word.startswith("i'"):
        return True
    if word in AMBIGUOUS_MONTHS:
        dated = at + 1 in numbers or (at > 1 and words[at - 1] == "of" and at - 2 in numbers)
        return dated or (at > 0 and words[at - 1] in BEFORE_MONTH)
    return word in NAMES
