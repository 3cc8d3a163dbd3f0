"""Lists of words to add to a lexicon, and where the pronunciations of these come from."""

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
WAYS = 2
"""Pronunciations that a word gets from its letters."""
GIVEN = "given"
SPELLED = "letters"


@dataclass(frozen=True, slots=True)
class ListedWord:
    """A line of a list.

    Attributes:
        text: the word as it was written.
        word: the word as the model writes it.
        phones: its pronunciation; empty where that is to be found out.
        place: list and line, for errors.
    """

    text: str
    word: str
    phones: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class AddedWord:
    """A word that a lexicon lacked, or a pronunciation that it lacked of a word it has.

    Attributes:
        word: as the model writes it.
        pronunciations: phones of each.
        source: where they come from: ``given``, ``dictionary``, a rule such as ``plural of 'dog'``,
            ``grapheme to phoneme``, or ``letters`` for models of characters.
    """

    word: str
    pronunciations: tuple[tuple[str, ...], ...]
    source: str


def parse_word_list(
    lines: Iterable[tuple[int, str]],
    name: str,
    normaliser: Literal["none", "basic", "english"] = "none",
) -> list[ListedWord]:
    """Read a list of words: one on a line, with its phones behind a colon where they are known.

    Empty lines and lines that begin with ``#`` do not count. A word may be there several times,
    each time with another pronunciation::

        Kubernetes
        Siobhan: SH AH V AO N

    Args:
        lines: each with its number.
        name: of the list, for errors.
        normaliser: of the model, whose form of writing the words get.

    Raises:
        DataError: no words, too many, a word that is several or too long, a colon without phones.
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
        spoken = tuple(phones.split())
        if len(spoken) > MAX_PHONES:
            raise DataError(f"{place}: {len(spoken)} phones; a word has at most {MAX_PHONES}")
        found.append(ListedWord(text, word, spoken, place))
        if len(found) > MAX_WORDS:
            raise DataError(f"{name}: more than {MAX_WORDS} words; leave some out")
    if not found:
        raise DataError(f"{name}: no words in it; write one on each line")
    return found


def pronounce_listed(
    listed: Sequence[ListedWord],
    lexicon: Lexicon,
    *,
    characters: bool = False,
    pronouncer: Callable[[], Pronouncer] | None = None,
) -> list[AddedWord]:
    """Return what a list adds to a lexicon.

    Args:
        listed: the list.
        lexicon: what is there already, and the phones.
        characters: the lexicon spells its words.
        pronouncer: returns what is asked for words without phones; called when there are any.

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
    for word, ways in given.items():
        fresh = tuple(way for way in ways if way not in lexicon.spoken(word))
        if fresh:
            added.append(AddedWord(word, fresh, GIVEN))
    if characters:
        spelled = Lexicon.of_letters([one.word for one in missing], lexicon.phones)
        return [*added, *(AddedWord(word, (way,), SPELLED) for word, way in spelled.entries())]
    if not missing:
        return added
    if pronouncer is None:
        raise DataError(
            f"{missing[0].place}: {missing[0].text!r} has no pronunciation, and rules are there "
            "for English only; write WORD: PH ON ES"
        )
    # A short word in capitals is spelled out, so these keep them.
    asked = [one.text if one.text.lower() == one.word else one.word for one in missing]
    for one, found in zip(missing, pronouncer().pronounce_all(asked, WAYS), strict=True):
        sayable = [way for way in found if set(way.phones) <= set(lexicon.phones)]
        if not sayable:
            lacking = sorted(set(found[0].phones) - set(lexicon.phones))
            raise DataError(
                f"{one.place}: {one.text!r} needs the phone {lacking[0]}, which the model lacks; "
                "write WORD: PH ON ES"
            )
        phones = tuple(dict.fromkeys(way.phones for way in sayable))
        added.append(AddedWord(one.word, phones, sayable[0].source))
    return added


def _known(one: ListedWord, phones: Sequence[str]) -> tuple[str, ...]:
    """Return the phones of a word, without stress where the lexicon has none."""
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
