"""Looks up or predicts pronunciations of words as tokens of an acoustic model."""

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
        first: word ``i`` has the pronunciations ``first[i]`` up to ``first[i + 1]``, at least
            one, ``(words + 1,)``.
        starts: the tokens of pronunciation ``j`` are ``tokens[starts[j]:starts[j + 1]]``, at least
            one, ``(n + 1,)``.
        tokens: token ids, without blanks.
    """

    first: Ints
    starts: Ints
    tokens: Ints


class WordPronunciations:
    """Looks up or predicts pronunciations of words as tokens of a model.

    Args:
        symbols: the tokens, the blank first.
        kind: kind of the tokens: ``phones`` or ``characters``.
        lexicon: lexicon to look up words in, usually the model's own.
        pronouncer: returns the pronouncer of other words; called only if there are any.
        max_predicted: maximum number of predicted pronunciations per word.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        kind: str,
        lexicon: Lexicon | None = None,
        *,
        pronouncer: Callable[[], Pronouncer] | None = None,
        max_predicted: int = 1,
    ) -> None:
        if kind not in {"phones", "characters"}:
            raise ConfigError(
                f"pronunciations need a model of phones or characters; this one's tokens are {kind}"
            )
        self._ids = {symbol: index for index, symbol in enumerate(symbols) if index}
        self._kind = kind
        self._lexicon = lexicon
        self._pronouncer = pronouncer
        self._max_predicted = max_predicted

    def look_up(self, words: Sequence[str], max_unknown: int | None = None) -> PronunciationTable:
        """Return the pronunciations of words.

        Args:
            words: words as in ``WordGraph.spoken_as``.
            max_unknown: maximum number of words missing from the lexicon, as prediction is slow.

        Raises:
            ConfigError: a word that cannot be pronounced, or too many unknown words.
        """
        for word in words:
            if len(word) > MAX_WORD_CHARACTERS:
                raise ConfigError(
                    f"'{word[:20]}...' has {len(word)} characters; a word has at most "
                    f"{MAX_WORD_CHARACTERS}"
                )
        if self._kind == "characters":
            return _flat([self._spell(word) for word in words])
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
        predicted = self._predict([words[place] for place in unknown])
        both = PronunciationTable(
            listed.first,
            np.concatenate((listed.starts, listed.starts[-1] + predicted.starts[1:])),
            np.concatenate((listed.tokens, predicted.tokens)),
        )
        order = np.argsort(
            np.concatenate(
                (
                    np.repeat(np.arange(len(words)), np.diff(listed.first)),
                    np.repeat(unknown, np.diff(predicted.first)),
                )
            ),
            kind="stable",
        )
        count = np.diff(listed.first)
        count[unknown] = np.diff(predicted.first)
        lengths = np.diff(both.starts)[order]
        return PronunciationTable(
            np.concatenate(([0], np.cumsum(count))),
            np.concatenate(([0], np.cumsum(lengths))),
            both.tokens[ranges(both.starts[:-1][order], lengths)],
        )

    def _spell(self, word: str) -> list[tuple[int, ...]]:
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
        """Return the lexicon's pronunciations; none for missing words."""
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

    def token_ids(self, phones: Sequence[str], word: str) -> tuple[int, ...]:
        """Return the token ids of the phones of a word, without stress if the model has none.

        Raises:
            ConfigError: the model lacks a phone.
        """
        found = []
        for phone in phones:
            plain = phone if phone in self._ids else phone.rstrip("012")
            if plain not in self._ids:
                raise _lacks(word, phone)
            found.append(self._ids[plain])
        return tuple(found)

    def _predict(self, words: Sequence[str]) -> PronunciationTable:
        if self._pronouncer is None:
            raise ConfigError(
                f"{words[0]!r} is not in the model's lexicon, and there are no rules to "
                "pronounce it; use another word"
            )
        try:
            found = self._pronouncer().pronounce_all(words, self._max_predicted)
        except DataError as error:
            raise ConfigError(str(error).partition(";")[0] + "; use other words") from None
        return _flat(
            [
                [self.token_ids(way.phones, word) for way in ways]
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
    """Return the concatenation of all ``range(first[i], first[i] + count[i])``."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(first - ends + count, count) + np.arange(total)
