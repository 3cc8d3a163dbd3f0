"""Where a pronunciation comes from: a dictionary, a rule, or the letters of the word."""

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

__all__ = ["Pronouncer", "Pronunciation", "load_english"]

Phones = tuple[str, ...]

DATA = Path(__file__).parent / "data"
MAX_COMBINATIONS = 4
BATCH = 256
MAX_DEPTH = 3
FROM_LETTERS = "grapheme to phoneme"
IN_DICTIONARY = "dictionary"


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """One way to say a word.

    Attributes:
        phones: of the word.
        source: where they come from, such as ``dictionary`` or ``plural of 'dog'``.
    """

    phones: Phones
    source: str

    @property
    def kind(self) -> str:
        """The source without the word it falls back on."""
        return self.source.split(" '", 1)[0]


class Pronouncer:
    """Finds pronunciations of English words.

    Asked in turn: the dictionary, endings, British spellings, letters spelled out, words joined
    by hyphens; last the grapheme-to-phoneme model. Case and accents do not matter, but
    a short word in capitals that no dictionary has is spelled out.
    """

    def __init__(self, dictionary: Lexicon, g2p: GraphemeToPhoneme | None = None) -> None:
        self.dictionary, self.g2p = dictionary, g2p

    def pronounce(self, word: str, n: int = 1) -> list[Pronunciation]:
        """Return the pronunciations of one word, as ``pronounce_all`` does."""
        return self.pronounce_all([word], n)[0]

    def pronounce_all(self, words: Sequence[str], n: int = 1) -> list[list[Pronunciation]]:
        """Return the pronunciations of each word, the commonest first.

        Args:
            words: without white space.
            n: the most pronunciations from letters alone; a dictionary's are all given.

        Raises:
            DataError: words that cannot be pronounced, with their characters.
        """
        found = [self.by_rule(word) for word in words]
        rest = [place for place, known in enumerate(found) if not known]
        refused: dict[str, str] = {}
        for first in range(0, len(rest), BATCH):
            asked = {}
            for place in rest[first : first + BATCH]:
                plain = _plain(words[place])
                strange = sorted(set(plain) - (self.g2p.letters if self.g2p else frozenset()))
                if strange or not plain:
                    refused[words[place]] = " ".join(map(repr, strange)) or "no letters"
                else:
                    asked[place] = plain
            if not asked or self.g2p is None:
                continue
            for place, ways in zip(
                asked, self.g2p.pronounce_all(list(asked.values()), n), strict=True
            ):
                found[place] = [Pronunciation(phones, FROM_LETTERS) for phones, _ in ways]
                if not ways:
                    refused[words[place]] = " ".join(map(repr, sorted(set(asked[place]))))
        if refused:
            word, strange_shown = next(iter(refused.items()))
            others = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise DataError(
                f"{word!r}{others} cannot be pronounced: {strange_shown}; leave it out, or give "
                "its phones in a dictionary"
            )
        return found

    def by_rule(self, word: str) -> list[Pronunciation]:
        """Return what dictionary and rules say without the model of letters, or nothing."""
        plain = _plain(word)
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
        """Concatenate pronunciations of words, if the dictionary, a rule or the model has each."""
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
        """Return a lexicon of words, and the kind of source that each word's first came from.

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
    """Return the pronouncer of the CMU Pronouncing Dictionary and a model trained on it."""
    dictionary = Lexicon.read_text(DATA / "cmudict.txt.xz", ENGLISH_PHONES)
    return Pronouncer(dictionary, GraphemeToPhoneme.load(DATA / "g2p.bin.xz"))


def _plain(word: str) -> str:
    """Return a word in lower case, without accents, with the usual apostrophe."""
    decomposed = unicodedata.normalize("NFKD", word.lower().replace("’", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _spelled(letters: str) -> Pronunciation:
    phones = tuple([phone for letter in letters for phone in LETTER_NAMES[letter]])
    return Pronunciation(phones, f"spelled out '{' '.join(letters)}'")


def _distinct(found: Iterator[Pronunciation]) -> list[Pronunciation]:
    return list({one.phones: one for one in reversed(list(found))}.values())[::-1]
