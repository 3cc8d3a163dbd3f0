"""Capital letters for names, ``I`` and the first word, and titles before names."""

from __future__ import annotations

from collections.abc import Sequence, Set

from asr_gru.text.names import AMBIGUOUS_MONTHS, NAMES, PHRASES
from asr_gru.text.spoken_numbers import CARDINALS, ORDINALS

__all__ = ["with_capitals"]

TITLES = {"mister": "Mr.", "missus": "Mrs."}
FUNCTION_WORDS = """
    a an and are at but by can could did do does don't for from had has have he how i i'd i'll i'm
    i've if in is it it's no not of on or our please she should so that the their there they this
    to was we were what what's when where who why with would yes you you're your
"""
NO_NAMES = frozenset(FUNCTION_WORDS.split())
"""Words after a title that are not the name of a person."""
BEFORE_MONTH = frozenset({"in", "since", "until", "of", "last", "next", "early", "late", "by"})


def with_capitals(words: Sequence[str], numbers: Set[int]) -> list[str]:
    """Capitalise ``words``; ``numbers`` are the indices of words that are written in digits."""
    cased = [
        _capital(word) if _is_name(words, i, numbers) else word for i, word in enumerate(words)
    ]
    for i, word in enumerate(words):
        for length in (3, 2):
            *before, last = words[i : i + length]
            name = last.removesuffix("'s").removesuffix("'")
            phrase = PHRASES.get((*before, name))
            if phrase:
                cased[i : i + length] = [*phrase[:-1], phrase[-1] + last[len(name) :]]
        title = TITLES.get(word)
        if title and _precedes_name(words, i, numbers):
            cased[i], cased[i + 1] = title, _capital(words[i + 1])
        elif title and _precedes_title(words, i, numbers):
            cased[i] = title
        elif word == "doctor" and i + 1 < len(words) and words[i + 1] in NAMES:
            cased[i] = "Dr."
    if cased:
        cased[0] = _capital(cased[0])
    return cased


def _precedes_name(words: Sequence[str], i: int, numbers: Set[int]) -> bool:
    following = words[i + 1] if i + 1 < len(words) and i + 1 not in numbers else ""
    return following[:1].isalpha() and following not in CARDINALS | ORDINALS | NO_NAMES


def _precedes_title(words: Sequence[str], i: int, numbers: Set[int]) -> bool:
    """Return whether a title shares its name with the next one, as in ``Mr. and Mrs. Jones``."""
    is_pair = len(words) > i + 2 and words[i + 1] == "and" and words[i + 2] in TITLES
    return is_pair and _precedes_name(words, i + 2, numbers)


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _is_name(words: Sequence[str], i: int, numbers: Set[int]) -> bool:
    word = words[i].removesuffix("'s").removesuffix("'")
    if word == "i" or word.startswith("i'"):
        return True
    if word in AMBIGUOUS_MONTHS:
        has_day = i + 1 in numbers or (i > 1 and words[i - 1] == "of" and i - 2 in numbers)
        return has_day or (i > 0 and words[i - 1] in BEFORE_MONTH)
    return word in NAMES
