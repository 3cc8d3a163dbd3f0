"""Closed vocabularies: a list of phrases, or a grammar, that alone can be recognised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from asr_gru.errors import ConfigError, is_real

__all__ = ["MAX_PHRASES", "ClosedVocabulary"]

MAX_PHRASES = 100_000


@dataclass(frozen=True, slots=True)
class ClosedVocabulary:
    """A list of phrases or a grammar, and how strictly other speech is rejected.

    Attributes:
        phrases: a list of phrases; None with a grammar.
        grammar: the text of a grammar; None with a list of phrases.
        rejection: see ``GraphSearchOptions``; None for the default.
        max_unknown: maximum number of words that are missing from the lexicon; None for no limit.
        max_states: maximum size of the grammar, see ``Grammar``; None for the default.
        name: name of the grammar in error messages.
    """

    phrases: tuple[str, ...] | None = None
    grammar: str | None = None
    rejection: float | None = None
    max_unknown: int | None = None
    max_states: int | None = None
    name: str = "grammar"

    @classmethod
    def parse(
        cls,
        phrases: Iterable[str] | None,
        *,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        max_unknown: int | None = None,
        max_states: int | None = None,
        name: str | None = None,
    ) -> ClosedVocabulary | None:
        """Create a vocabulary from the arguments of a call; None if it is not closed.

        Raises:
            ConfigError: ``rejection`` without a vocabulary or not a number, a string instead of a
                list of phrases, phrases together with a grammar, or an unreadable grammar file.
        """
        if not (rejection is None or is_real(rejection)):
            raise ConfigError(f"rejection is {str(rejection)[:40]!r}; give a number")
        if grammar is not None:
            if phrases is not None:
                raise ConfigError("both phrases and a grammar are given; give one of them")
            if not isinstance(grammar, str | Path):
                raise ConfigError(
                    f"grammar is {str(grammar)[:40]!r}; give the text of a grammar, or its path"
                )
            from asr_gru.language import read_grammar

            text, source = read_grammar(grammar)
            return cls(None, text, rejection, max_unknown, max_states, name or source)
        if phrases is None:
            if rejection is not None:
                raise ConfigError(
                    "rejection applies to phrases and grammars only; give one of them"
                )
            return None
        if isinstance(phrases, str) or not isinstance(phrases, Iterable):
            raise ConfigError(f"phrases is {str(phrases)[:40]!r}; give a list of phrases")
        listed = tuple(islice(phrases, MAX_PHRASES + 1))
        for number, phrase in enumerate(listed, 1):
            if not isinstance(phrase, str):
                raise ConfigError(f"phrase {number} is {str(phrase)[:40]!r}; give text")
        if len(listed) > MAX_PHRASES:
            raise ConfigError(f"more than {MAX_PHRASES} phrases; give fewer")
        return cls(listed, None, rejection, max_unknown)
