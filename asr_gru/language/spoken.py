"""The pronunciations of a graph's words, as the tokens of an acoustic model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr_gru.errors import ConfigError, DataError
from asr_gru.language.ngrams import Ints

if TYPE_CHECKING:
    from asr_gru.language.lexicon import Lexicon
    from asr_gru.language.pronounce import Pronouncer

__all__ = ["PronunciationTable", "WordPronunciations", "ranges"]

SPACE = " "
MAX_WORD_CHARACTERS = 64
"""Characters."""


class PronunciationTable(NamedTuple):
    """Pronunciations of words as token ids.

    Attributes:
        first: ``(words + 1,)`` the pronunciations of word ``i`` are ``first[i]`` up to
            ``first[i + 1]``; each word has one.
        starts: ``(n + 1,)`` the tokens of pronunciation ``j`` are
            ``tokens[starts[j]:starts[j + 1]]``; none is empty.
        tokens: ids above 0.
    """

    first: Ints
    starts: Ints
    tokens: Ints


class WordPronunciations:
    """Looks up or predicts pronunciations of words, as a model's tokens.

    Args:
        symbols: the token of each column of the log-probabilities, the blank first.
        kind: what they are: phones or characters.
        lexicon: asked first, usually the model's own.
        pronouncer: returns what is asked for the other words; called when there are any.
        ways: the most pronunciations of a word by its letters alone.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        kind: str,
        lexicon: Lexicon | None = None,
        *,
        pronouncer: Callable[[], Pronouncer] | None = None,
        ways: int = 1,
    ) -> None:
        if kind not in {"phones", "characters"}:
            raise ConfigError(
                f"pronunciations need a model of phones or characters; this one's tokens are {kind}"
            )
        self._ids = {symbol: place for place, symbol in enumerate(symbols) if place}
        self._kind = kind
        self._lexicon = lexicon
        self._pronouncer = pronouncer
        self._ways = ways

    def spoken(self, words: Sequence[str], max_unknown: int | None = None) -> PronunciationTable:
        """Return the pronunciations of words.

        Args:
            words: as in ``WordGraph.spoken_as``.
            max_unknown: maximum number of words missing from the lexicon, as predicting is slow.

        Raises:
            ConfigError: a word that cannot be pronounced, or more unknown ones than allowed.
        """
        for word in words:
            if len(word) > MAX_WORD_CHARACTERS:
                raise ConfigError(
                    f"'{word[:20]}...' has {len(word)} characters; a word has at most "
                    f"{MAX_WORD_CHARACTERS}"
                )
        if self._kind == "characters":
            return _flat([self._letters(word) for word in words])
        places = np.full(len(words), -1)
        if self._lexicon is not None:
            places = self._lexicon.places(words)
        unknown = np.flatnonzero(places < 0).tolist()
        if max_unknown is not None and len(unknown) > max_unknown:
            raise ConfigError(
                f"{len(unknown)} words that are not in the lexicon, such as "
                f"{words[unknown[0]]!r}; {max_unknown} are allowed"
            )
        listed = self._listed(words, places)
        if not unknown:
            return listed
        guessed = self._guessed([words[place] for place in unknown])
        both = PronunciationTable(
            listed.first,
            np.concatenate((listed.starts, listed.starts[-1] + guessed.starts[1:])),
            np.concatenate((listed.tokens, guessed.tokens)),
        )
        order = np.argsort(
            np.concatenate(
                (
                    np.repeat(np.arange(len(words)), np.diff(listed.first)),
                    np.repeat(unknown, np.diff(guessed.first)),
                )
            ),
            kind="stable",
        )
        count = np.diff(listed.first)
        count[unknown] = np.diff(guessed.first)
        lengths = np.diff(both.starts)[order]
        return PronunciationTable(
            np.concatenate(([0], np.cumsum(count))),
            np.concatenate(([0], np.cumsum(lengths))),
            both.tokens[ranges(both.starts[:-1][order], lengths)],
        )

    def _letters(self, word: str) -> list[tuple[int, ...]]:
        word = word.rstrip(".")
        missing = sorted(set(word) - self._ids.keys())
        if missing or not word:
            raise ConfigError(
                f"{word!r} cannot be spelled with the model's characters: "
                f"{' '.join(map(repr, missing))}; change it"
            )
        spelled = tuple([self._ids[letter] for letter in word])
        return [spelled, (*spelled, self._ids[SPACE])] if SPACE in self._ids else [spelled]

    def _listed(self, words: Sequence[str], places: Ints) -> PronunciationTable:
        """Return the lexicon's pronunciations; none for words that it lacks."""
        lexicon = self._lexicon
        if lexicon is None:
            nothing = np.zeros(0, np.int64)
            return PronunciationTable(
                np.zeros(len(words) + 1, np.int64), np.zeros(1, np.int64), nothing
            )
        low, high = (np.searchsorted(lexicon.spoken_words, places + more) for more in (0, 1))
        high[places < 0] = low[places < 0]
        row = ranges(low, high - low)
        lengths = np.diff(lexicon.starts)[row]
        ids = np.array([self._ids.get(phone, 0) for phone in lexicon.phones], np.int64)
        units = lexicon.units[ranges(lexicon.starts[row], lengths)]
        lacking = np.flatnonzero(ids[units] == 0)
        if len(lacking):
            at = np.searchsorted(np.cumsum(lengths), lacking[0], "right")
            word = words[int(np.searchsorted(np.cumsum(high - low), at, "right"))]
            raise _lacks(word, lexicon.phones[int(units[lacking[0]])])
        first = np.concatenate(([0], np.cumsum(high - low)))
        return PronunciationTable(first, np.concatenate(([0], np.cumsum(lengths))), ids[units])

    def known(self, phones: Sequence[str], word: str) -> tuple[int, ...]:
        """Return the tokens of phones; ConfigError names one that the model lacks."""
        for phone in phones:
            if phone not in self._ids:
                raise _lacks(word, phone)
        return tuple([self._ids[phone] for phone in phones])

    def _guessed(self, words: Sequence[str]) -> PronunciationTable:
        if self._pronouncer is None:
            raise ConfigError(
                f"{words[0]!r} is not in the model's lexicon, and there are no rules to "
                "pronounce it; use another word"
            )
        try:
            found = self._pronouncer().pronounce_all(words, self._ways)
        except DataError as error:
            raise ConfigError(str(error).partition(";")[0] + "; use other words") from None
        return _flat(
            [
                [self.known(way.phones, word) for way in ways]
                for word, ways in zip(words, found, strict=True)
            ]
        )


def _lacks(word: str, phone: str) -> ConfigError:
    return ConfigError(f"{word!r} needs the phone {phone}, which the model lacks; change it")


def _flat(ways: Sequence[Sequence[tuple[int, ...]]]) -> PronunciationTable:
    every = [way for own in ways for way in own]
    lengths = np.array([len(way) for way in every], np.int64)
    return PronunciationTable(
        np.concatenate(([0], np.cumsum([len(own) for own in ways], dtype=np.int64))),
        np.concatenate(([0], np.cumsum(lengths))),
        np.array([token for way in every for token in way], np.int64),
    )


def ranges(first: Ints, count: Ints) -> Ints:
    """Return ``first[i], first[i] + 1, ...``, ``count[i]`` of them, one range after the other."""
    behind = np.cumsum(count)
    total = int(behind[-1]) if len(behind) else 0
    return np.repeat(first - behind + count, count) + np.arange(total)
