"""Lists of words to add to a lexicon, and their pronunciations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from asr_gru.errors import DataError
from asr_gru.language.lexicon import Lexicon
from asr_gru.language.pronounce import Pronouncer
from asr_gru.text.normaliser import normalise

__all__ = ["AddedWord", "ListedWord", "parse_word_list", "pronounce_listed"]

MAX_WORDS = 100_000
MAX_WORD_LENGTH = 64
"""Characters."""
MAX_PHONES = 100
MAX_PREDICTED = 2
"""Pronunciations predicted per word."""
GIVEN = "given"
SPELLED = "letters"


@dataclass(frozen=True, slots=True)
class ListedWord:
    """A line of a word list.

    Attributes:
        text: the word as written in the list.
        word: the normalised word.
        phones: its pronunciation; empty to look it up or predict it.
        place: name of the list and line number, for errors.
    """

    text: str
    word: str
    phones: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class AddedWord:
    """New pronunciations of a word, which may be new itself.

    Attributes:
        word: the normalised word.
        pronunciations: the phones of each pronunciation.
        source: source of the pronunciations: ``given``, ``dictionary``, a rule such as
            ``plural of 'dog'``, ``grapheme to phoneme``, or ``letters`` for models of characters.
    """

    word: str
    pronunciations: tuple[tuple[str, ...], ...]
    source: str


def parse_word_list(
    lines: Iterable[tuple[int, str]],
    name: str,
    normaliser: Literal["none", "basic", "english"] = "none",
) -> list[ListedWord]:
    """Parse a word list: one word per line, optionally followed by a colon and its phones.

    Empty lines and lines that begin with ``#`` are skipped. A word with several pronunciations
    has several lines::

        Kubernetes
        Siobhan: SH AH V AO N

    Args:
        lines: numbered lines.
        name: name of the list in errors.
        normaliser: normaliser of the model's words.

    Raises:
        DataError: no words, too many words, a line with several words, a word that is too long,
            or a colon without phones.
    """
    found = []
    for number, line in lines:
        place = f"{name}: line {number}"
        text, colon, phones = line.strip().lstrip("\ufeff").partition(":")
        text = text.strip()
        if not (text or colon) or text.startswith("#"):
            continue
        word = normalise(text, normaliser)
        if len(text) > MAX_WORD_LENGTH:
            raise DataError(
                f"{place}: '{text[:20]}...' has {len(text)} characters; "
                f"a word has at most {MAX_WORD_LENGTH}"
            )
        if not word or (colon and not phones.strip()):
            raise DataError(f"{place}: {line.strip()!r} has no {'phones' if word else 'word'}")
        if len(word.split()) > 1:
            raise DataError(
                f"{place}: {text!r} is several words to the model ({word}); write each on its own "
                "line, or WORD: PH ON ES"
            )
        given = tuple(phones.split())
        if len(given) > MAX_PHONES:
            raise DataError(f"{place}: {len(given)} phones; a word has at most {MAX_PHONES}")
        found.append(ListedWord(text, word, given, place))
        if len(found) > MAX_WORDS:
            raise DataError(f"{name}: more than {MAX_WORDS} words; leave some out")
    if not found:
        raise DataError(f"{name}: no words; write one per line")
    return found


def pronounce_listed(
    listed: Sequence[ListedWord],
    lexicon: Lexicon,
    *,
    characters: bool = False,
    pronouncer: Callable[[], Pronouncer] | None = None,
) -> list[AddedWord]:
    """Return the words and pronunciations of a list that a lexicon lacks.

    Args:
        listed: the parsed list.
        lexicon: the lexicon to extend.
        characters: whether the units of the lexicon are characters rather than phones.
        pronouncer: returns the pronouncer of words without phones; called only if there are any.

    Raises:
        DataError: a word that cannot be pronounced, or a phone that the lexicon does not have.
    """
    given: dict[str, dict[tuple[str, ...], None]] = {}
    unknown: dict[str, ListedWord] = {}
    for one in listed:
        if one.phones:
            given.setdefault(one.word, {})[_known(one, lexicon.phones)] = None
        elif one.word not in lexicon:
            unknown.setdefault(one.word, one)
    missing = [one for word, one in unknown.items() if word not in given]
    added = []
    for word, pronunciations in given.items():
        new = tuple(one for one in pronunciations if one not in lexicon.spoken(word))
        if new:
            added.append(AddedWord(word, new, GIVEN))
    if characters:
        spelled = Lexicon.of_letters([one.word for one in missing], lexicon.phones)
        return [*added, *(AddedWord(word, (one,), SPELLED) for word, one in spelled.entries())]
    if not missing:
        return added
    if pronouncer is None:
        raise DataError(
            f"{missing[0].place}: {missing[0].text!r} has no pronunciation, and only English words "
            "can be predicted; write WORD: PH ON ES"
        )
    # Keep the case of the list: a short word in capitals is spelled out.
    texts = [one.text if one.text.lower() == one.word else one.word for one in missing]
    for one, found in zip(missing, pronouncer().pronounce_all(texts, MAX_PREDICTED), strict=True):
        usable = [way for way in found if set(way.phones) <= set(lexicon.phones)]
        if not usable:
            lacking = sorted(set(found[0].phones) - set(lexicon.phones))
            raise DataError(
                f"{one.place}: {one.text!r} needs the phone {lacking[0]}, which the model lacks; "
                "write WORD: PH ON ES"
            )
        phones = tuple(dict.fromkeys(way.phones for way in usable))
        added.append(AddedWord(one.word, phones, usable[0].source))
    return added


def _known(one: ListedWord, phones: Sequence[str]) -> tuple[str, ...]:
    """Return the phones of a word, without stress if the lexicon has none."""
    known = []
    for phone in one.phones:
        plain = phone if phone in phones else phone.rstrip("012")
        if plain not in phones:
            raise DataError(
                f"{one.place}: {one.text!r}: phone {phone!r} is not among the model's "
                f"{len(phones)} ({' '.join(phones[:5])} ...); change it"
            )
        known.append(plain)
    return tuple(known)
