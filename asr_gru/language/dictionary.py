"""Pronunciation dictionaries as text: one pronunciation per line, ``WORD PH ON ES``.

The format of the CMU Pronouncing Dictionary and of Sphinx and Kaldi lexicons. A number after the
word is the probability of the pronunciation, relative to the others of the word (Kaldi's
``lexiconp``); ``WORD(2)`` marks a further pronunciation, ``# ...`` and lines that begin with
``;;;`` are comments, and a digit after a vowel is its stress, which is dropped if the phones have
none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from asr_gru.errors import DataError
from asr_gru.language.text_files import read_lines

__all__ = [
    "ENGLISH_PHONES",
    "Entry",
    "parse_dictionary",
    "read_dictionary",
    "read_weighted",
    "word_of",
]

Entry = tuple[str, tuple[str, ...]]
"""A word and one pronunciation of it."""

ARPABET = """AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T
TH UH UW V W Y Z ZH"""
ENGLISH_PHONES = tuple(ARPABET.split())
"""The 39 phones of General American in ARPAbet, without stress, as in the CMU dictionary."""

PROBABILITY = re.compile(r"[01]?\.\d+(e-?\d+)?|[01]|\d(\.\d+)?e-\d+")
VARIANT = re.compile(r"\(\d+\)$")
MAX_DICTIONARY_BYTES = 1 << 29


def read_dictionary(path: Path, phones: Collection[str]) -> Iterator[Entry]:
    """Yield the entries of a file, which is compressed if its name ends in ``.gz`` or ``.xz``.

    Raises:
        DataError: the file cannot be read or is not UTF-8, or a word has no phones or one that
            is not in ``phones``; with the line.
    """
    return parse_dictionary(read_lines(path, MAX_DICTIONARY_BYTES), phones, str(path))


def read_weighted(
    path: Path, phones: Collection[str]
) -> Iterator[tuple[str, tuple[str, ...], float | None]]:
    """Yield word, phones and probability (None without one) of each entry of a file.

    Raises:
        DataError: as ``read_dictionary``, or a probability that is not above 0 and at most 1.
    """
    return _parse(read_lines(path, MAX_DICTIONARY_BYTES), phones, str(path))


def word_of(field: str) -> str | None:
    """Return the word of the first field of a line; None if a comment begins there.

    ``READ(2)``, a further pronunciation, is the word ``READ``.
    """
    return None if field.startswith(("#", ";;;")) else VARIANT.sub("", field)


def parse_dictionary(
    lines: Iterable[tuple[int, str]], phones: Collection[str], name: str
) -> Iterator[Entry]:
    """Yield the entries of numbered lines; errors as in ``read_dictionary``."""
    for word, spoken, _ in _parse(lines, phones, name):
        yield word, spoken


def _parse(
    lines: Iterable[tuple[int, str]], phones: Collection[str], name: str
) -> Iterator[tuple[str, tuple[str, ...], float | None]]:
    known = {phone: phone for phone in phones}
    known |= {f"{phone}{stress}": phone for phone in phones for stress in "012"}
    known |= {phone: phone for phone in phones}  # a phone that ends in a digit is itself
    for number, line in lines:
        fields = line.split("#", 1)[0].split()
        if not fields or fields[0].startswith(";;;"):
            continue
        probability = None
        if len(fields) > 1 and fields[1] not in known and PROBABILITY.fullmatch(fields[1]):
            probability = float(fields.pop(1))
            if not 0.0 < probability <= 1.0:
                raise DataError(
                    f"{name}: line {number}: probability {probability:g} of {fields[0]!r}; "
                    "give a number above 0, at most 1"
                )
        try:
            spoken = tuple([known[field] for field in fields[1:]])
        except KeyError as error:
            raise DataError(
                f"{name}: line {number}: {error.args[0]!r} is not one of the "
                f"{len(phones)} phones ({' '.join(list(phones)[:5])} ...); change it"
            ) from None
        if not spoken:
            raise DataError(f"{name}: line {number}: {fields[0]!r} has no phones; add them")
        yield VARIANT.sub("", fields[0]), spoken, probability
