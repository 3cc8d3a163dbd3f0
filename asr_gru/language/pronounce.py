"""Pronunciations of English words from a dictionary, rules and grapheme-to-phoneme conversion."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from pathlib import Path

from asr_gru.errors import DataError
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.language.english import (
    LETTER_NAMES,
    american_spellings,
    endings,
    is_spelled_out,
)
from asr_gru.language.g2p import GraphemeToPhoneme
from asr_gru.language.lexicon import Lexicon
from asr_gru.text.normaliser import normalise

__all__ = ["Pronouncer", "Pronunciation", "load_english", "plain_spelling"]

Phones = tuple[str, ...]

DATA = Path(__file__).parent / "data"
MAX_COMBINATIONS = 4
BATCH = 256
MAX_DEPTH = 3
FROM_LETTERS = "grapheme to phoneme"
IN_DICTIONARY = "dictionary"


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """A pronunciation of a word.

    Attributes:
        phones: the phones.
        source: source of the pronunciation, such as ``dictionary`` or ``plural of 'dog'``.
    """

    phones: Phones
    source: str

    @property
    def kind(self) -> str:
        """The source without the related word."""
        return self.source.split(" '", 1)[0]


class Pronouncer:
    """Finds pronunciations of English words.

    Tries in turn the dictionary, endings, British spellings, abbreviations, compounds with hyphens,
    and grapheme-to-phoneme conversion. Case and accents are ignored, except that a short word in
    capitals that is not in the dictionary is spelled out.

    Args:
        dictionary: pronunciations by ``plain_spelling``.
        g2p: the model for other words; None if there is none.
    """

    def __init__(self, dictionary: Lexicon, g2p: GraphemeToPhoneme | None = None) -> None:
        self.dictionary, self.g2p = dictionary, g2p

    def pronounce(self, word: str, n: int = 1) -> list[Pronunciation]:
        """Return the pronunciations of a word; see ``pronounce_all``."""
        return self.pronounce_all([word], n)[0]

    def pronounce_all(self, words: Sequence[str], n: int = 1) -> list[list[Pronunciation]]:
        """Return the pronunciations of each word, the most common first.

        Args:
            words: words without white space.
            n: maximum number of predicted pronunciations; those of the dictionary are all returned.

        Raises:
            DataError: words that cannot be pronounced, with their characters.
        """
        found = [self.by_rule(word) for word in words]
        rest = [index for index, known in enumerate(found) if not known]
        refused: dict[str, str] = {}
        for first in range(0, len(rest), BATCH):
            batch = {}
            for index in rest[first : first + BATCH]:
                plain = plain_spelling(words[index])
                unknown = sorted(set(plain) - (self.g2p.letters if self.g2p else frozenset()))
                if unknown or not plain:
                    refused[words[index]] = " ".join(map(repr, unknown)) or "no letters"
                else:
                    batch[index] = plain
            if not batch or self.g2p is None:
                continue
            predicted = self.g2p.pronounce_all(list(batch.values()), n)
            for index, ways in zip(batch, predicted, strict=True):
                found[index] = [Pronunciation(phones, FROM_LETTERS) for phones, _ in ways]
                if not ways:
                    refused[words[index]] = " ".join(map(repr, sorted(set(batch[index]))))
        if refused:
            word, characters = next(iter(refused.items()))
            others = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise DataError(
                f"{word!r}{others} cannot be pronounced: {characters}; leave it out, or give "
                "its phones in a dictionary"
            )
        return found

    def by_rule(self, word: str) -> list[Pronunciation]:
        """Return pronunciations from the dictionary and rules only; may be empty."""
        plain = plain_spelling(word)
        if found := self._by_rule(plain, MAX_DEPTH):
            return found
        letters = plain.replace(".", "")
        if "." in plain and letters and all(letter in LETTER_NAMES for letter in letters):
            return [_spelled(letters)]
        if word.isupper() and 2 <= len(plain) <= 5 and set(plain) <= set(LETTER_NAMES):
            return [_spelled(plain)]
        if any(character.isdigit() for character in plain):
            spoken = re.findall(r"[^\W\d]+(?:'[^\W\d]+)*", normalise(plain, "english"))
            return self._concatenate(spoken, "number")
        return []

    def _by_rule(self, word: str, depth: int) -> list[Pronunciation]:
        if spoken := self.dictionary.spoken(word):
            return [Pronunciation(phones, IN_DICTIONARY) for phones in spoken]
        if depth == 0 or not word:
            return []
        if is_spelled_out(word):
            return [_spelled(word)]
        for base, change, name in endings(word):
            if known := self._by_rule(base, depth - 1):
                return _distinct(
                    Pronunciation(change(one.phones), f"{name} '{base}'") for one in known
                )
        for american in american_spellings(word):
            if known := self._by_rule(american, depth - 1):
                return _distinct(
                    Pronunciation(one.phones, f"American spelling '{american}'") for one in known
                )
        if "-" in word:
            return self._concatenate([part for part in word.split("-") if part], "joined from")
        return []

    def _concatenate(self, parts: Sequence[str], name: str) -> list[Pronunciation]:
        """Concatenate the pronunciations of words; empty if one has none."""
        spoken: list[list[Phones]] = []
        for part in parts:
            known = [one.phones for one in self._by_rule(part, MAX_DEPTH - 1)]
            if not known and self.g2p and set(part) <= self.g2p.letters:
                known = [phones for phones, _ in self.g2p.pronounce(part)]
            if not known:
                return []
            spoken.append(known)
        if not spoken:
            return []
        ways = islice(product(*spoken), MAX_COMBINATIONS)
        source = f"{name} '{' '.join(parts)}'"
        return _distinct(
            Pronunciation(tuple([phone for part in way for phone in part]), source) for way in ways
        )

    def lexicon(
        self, words: Sequence[str], phones: Sequence[str] = ENGLISH_PHONES, n: int = 1
    ) -> tuple[Lexicon, dict[str, str]]:
        """Return a lexicon of words, and the source of the first pronunciation of each word.

        Raises:
            DataError: words that cannot be pronounced, or a phone that is not in ``phones``.
        """
        distinct = list(dict.fromkeys(words))
        found = self.pronounce_all(distinct, n)
        entries = [
            (word, one.phones) for word, ways in zip(distinct, found, strict=True) for one in ways
        ]
        kinds = {word: ways[0].kind for word, ways in zip(distinct, found, strict=True)}
        return Lexicon.build(entries, phones, self.dictionary.entry_log_probs()), kinds


@lru_cache(maxsize=1)
def load_english() -> Pronouncer:
    """Return the pronouncer with the CMU Pronouncing Dictionary and a model trained on it."""
    dictionary = Lexicon.read_text(DATA / "cmudict.txt.xz", ENGLISH_PHONES)
    return Pronouncer(dictionary, GraphemeToPhoneme.load(DATA / "g2p.bin.xz"))


def plain_spelling(word: str) -> str:
    """Return a word in lower case, without accents, with ASCII apostrophes."""
    decomposed = unicodedata.normalize("NFKD", word.lower().replace("’", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _spelled(letters: str) -> Pronunciation:
    phones = tuple([phone for letter in letters for phone in LETTER_NAMES[letter]])
    return Pronunciation(phones, f"spelled out '{' '.join(letters)}'")


def _distinct(found: Iterator[Pronunciation]) -> list[Pronunciation]:
    return list({one.phones: one for one in reversed(list(found))}.values())[::-1]
