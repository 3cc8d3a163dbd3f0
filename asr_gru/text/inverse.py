"""Inverse text normalisation: spoken words as people write them."""

from __future__ import annotations

from collections.abc import Sequence

from asr_gru.text.capitals import with_capitals
from asr_gru.text.number_rules import WrittenWord, reads_back, write_numbers

__all__ = ["WrittenWord", "inverse_normalise", "write_words"]

NEIGHBOURS = 3
"""Words on each side within which a number is tried when the whole is read wrongly."""


def inverse_normalise(text: str) -> str:
    """Return spoken English, one sentence or a part of one, as people write it.

    The inverse of ``normalise(text, "english")``, which turns the result into ``text`` again.
    Numbers from ten on, ordinals, years, dates, times and amounts become digits; names known to
    be names, ``I`` and the first word get a capital. Punctuation is not added.

    >>> inverse_normalise("i paid mister jones twenty five dollars on june fifth")
    'I paid Mr. Jones $25 on June 5th'
    """
    return " ".join(word.text for word in write_words(text.split()))


def write_words(words: Sequence[str]) -> list[WrittenWord]:
    """Return spoken words as they are written, each with the spoken words it stands for."""
    plain = [WrittenWord(word, place, place + 1) for place, word in enumerate(words)]
    numbers = list(write_numbers(words))
    cased = with_capitals(words, _places(numbers))
    written = _merged(cased, numbers)
    if not reads_back(written, words):
        numbers = [number for number in numbers if _fits(number, written, words)]
        for kept in (numbers, []):
            written = _merged(with_capitals(words, _places(kept)), kept)
            if reads_back(written, words):
                break
        else:
            return plain
    return written


def _places(numbers: Sequence[WrittenWord]) -> set[int]:
    return {place for number in numbers for place in range(number.first, number.stop)}


def _merged(cased: Sequence[str], numbers: Sequence[WrittenWord]) -> list[WrittenWord]:
    by_start = {number.first: number for number in numbers}
    merged, place = [], 0
    while place < len(cased):
        word = by_start.get(place) or WrittenWord(cased[place], place, place + 1)
        merged.append(word)
        place = word.stop
    return merged


def _fits(number: WrittenWord, written: Sequence[WrittenWord], words: Sequence[str]) -> bool:
    at = written.index(number)
    return reads_back(written[max(0, at - NEIGHBOURS) : at + 1 + NEIGHBOURS], words)
