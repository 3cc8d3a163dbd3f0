"""A closed list of phrases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from asr_gru.errors import ConfigError
from asr_gru.language.word_graph import WordGraph, phrase_graph
from asr_gru.results import Match
from asr_gru.text.normaliser import normalise

__all__ = ["PhraseList"]

MAX_PHRASE_CHARACTERS = 1_000
"""Characters."""


class PhraseList:
    """Phrases as given, and the word sequences they are recognised as.

    Args:
        phrases: phrases in written form; digits are read as numbers, case and punctuation do not
            matter. Of several phrases with the same words, the first is returned.
        normaliser: normaliser of the model's words.

    Attributes:
        graph: the phrases as a graph of words.

    Raises:
        ConfigError: no phrases, or a phrase without words or too long.
    """

    def __init__(
        self,
        phrases: Iterable[str],
        normaliser: Literal["none", "basic", "english"] = "english",
    ) -> None:
        self.phrases: list[str] = []
        self._index: dict[tuple[str, ...], int] = {}
        for index, phrase in enumerate(phrases):
            if len(phrase) > MAX_PHRASE_CHARACTERS:
                raise ConfigError(
                    f"phrase {index + 1} ({phrase[:20]!r} ...) has {len(phrase)} characters; "
                    f"give at most {MAX_PHRASE_CHARACTERS}"
                )
            words = tuple(normalise(phrase, normaliser).split())
            if not words:
                raise ConfigError(f"phrase {index + 1} ({phrase!r}) has no words; leave it out")
            self.phrases.append(phrase)
            self._index.setdefault(words, index)
        if not self.phrases:
            raise ConfigError("no phrases to listen for; give at least one")
        self.graph: WordGraph = phrase_graph(self._index)

    def match(self, words: Sequence[str]) -> Match | None:
        """Return the phrase with these words, or None."""
        index = self._index.get(tuple(words))
        return None if index is None else Match(phrase=self.phrases[index], index=index)
