"""A list of phrases, of which one is said or none."""

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
    """Phrases as a program wrote them, and as their words are recognised.

    Args:
        phrases: each as people write it; digits are read as numbers, case and punctuation do not
            matter. Of two that have the same words the first is taken.
        normaliser: how the model's words are written.

    Attributes:
        graph: the words.

    Raises:
        ConfigError: no phrases, or one that has no words or is too long.
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
        """Return the phrase with these words."""
        index = self._index.get(tuple(words))
        return None if index is None else Match(phrase=self.phrases[index], index=index)
