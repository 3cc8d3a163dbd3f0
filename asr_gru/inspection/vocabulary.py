"""Words and characters of texts that are unknown to a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from asr_gru.language import Lexicon
from asr_gru.model.directory import LEXICON, ModelDirectory

__all__ = ["ModelVocabulary", "Unknown"]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Counts of unknown words and characters.

    Attributes:
        words: words that are not in the lexicon; None for a model without a lexicon.
        characters: characters that the model cannot output.
    """

    words: Counter[str] | None
    characters: Counter[str] = field(default_factory=Counter)


class ModelVocabulary:
    """The words and characters that a model can output.

    Args:
        model: the name of a bundled model, or the path of a model directory.

    Raises:
        ModelError: the model is missing or damaged.
    """

    def __init__(self, model: str | Path) -> None:
        directory = ModelDirectory.open(str(model))
        self._words: set[str] | None = None
        if directory.has_lexicon:
            self._words = set(Lexicon.load(directory.path / LEXICON).words)
            self._characters = {letter for word in self._words for letter in word}
        else:
            symbols = directory.tokenizer().symbols[1:]
            self._characters = {letter for symbol in symbols for letter in symbol}

    def unknown(self, texts: Iterable[str]) -> Unknown:
        """Return the unknown words and characters of normalised texts."""
        words: Counter[str] = Counter(word for text in texts for word in text.split())
        letters: Counter[str] = Counter()
        for word, count in words.items():
            for letter in word:
                if letter not in self._characters:
                    letters[letter] += count
        if self._words is None:
            return Unknown(None, letters)
        known = self._words
        return Unknown(Counter({w: n for w, n in words.items() if w not in known}), letters)
