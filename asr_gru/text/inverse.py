"""Inverse text normalisation: from spoken form to written form."""

from __future__ import annotations

from collections.abc import Sequence

from asr_gru.text.capitals import with_capitals
from asr_gru.text.number_rules import WrittenWord, reads_back, write_numbers

__all__ = ["WrittenWord", "inverse_normalise", "write_words"]

CONTEXT = 3
"""Words on each side with which a single number is checked."""


def inverse_normalise(text: str) -> str:
    """Return the written form of a sentence, or of a part of one, in spoken English.

    The inverse of ``normalise(text, "english")``, which turns the result into ``text`` again.
    Numbers from ten up, ordinals, years, dates, times and amounts are written in digits;
    unambiguous names, ``I`` and the first word are capitalised. No punctuation is added.

    >>> inverse_normalise("i paid mister jones twenty five dollars on june fifth")
    'I paid Mr. Jones $25 on June 5th'
    """
    return " ".join(word.text for word in write_words(text.split()))


def write_words(words: Sequence[str]) -> list[WrittenWord]:
    """Return the written form of spoken words, each part with the spoken words it stands for.

    A number that the normaliser would not read back in its context stays in words.
    """
    numbers = list(write_numbers(words))
    written = _with_numbers(words, numbers)
    if reads_back(written, words):
        return written
    unambiguous = [n for n in numbers if _reads_back_in_context(n, written, words)]
    for kept in (unambiguous, []):
        written = _with_numbers(words, kept)
        if reads_back(written, words):
            return written
    return [WrittenWord(word, i, i + 1) for i, word in enumerate(words)]


def _with_numbers(words: Sequence[str], numbers: Sequence[WrittenWord]) -> list[WrittenWord]:
    """Return the words, capitalised, with ``numbers`` in place of the words they stand for."""
    by_first = {number.first: number for number in numbers}
    cased = with_capitals(words, {i for n in numbers for i in range(n.first, n.stop)})
    merged, i = [], 0
    while i < len(words):
        word = by_first.get(i) or WrittenWord(cased[i], i, i + 1)
        merged.append(word)
        i = word.stop
    return merged


def _reads_back_in_context(
    number: WrittenWord, written: Sequence[WrittenWord], words: Sequence[str]
) -> bool:
    i = written.index(number)
    return reads_back(written[max(0, i - CONTEXT) : i + 1 + CONTEXT], words)
