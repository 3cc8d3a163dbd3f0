"""Grammars: the sentences that can be recognised, and their meaning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from asr_gru.errors import ConfigError
from asr_gru.files import read_text
from asr_gru.language.builtin_rules import FUNCTIONS
from asr_gru.language.grammar_compiler import compile_grammar
from asr_gru.language.grammar_network import MAX_STATES, Mark
from asr_gru.language.jsgf_parser import parse_jsgf
from asr_gru.language.jsgf_tree import Tag
from asr_gru.language.word_graph import WordGraph
from asr_gru.results import Match
from asr_gru.text.normaliser import normalise

__all__ = ["Grammar", "is_jsgf", "read_grammar"]

MAX_FILE_CHARACTERS = 4_000_000
INTENT = "intent"


class Grammar:
    """A JSGF grammar.

        grammar = Grammar(text)
        print(grammar.parse("set a timer for ten minutes"))

    Args:
        text: the grammar.
        name: name of the grammar in errors.
        normaliser: normaliser of the model's words.
        max_states: maximum number of states once the rules are expanded.

    Attributes:
        graph: the sentences as a graph of words.

    Raises:
        ConfigError: an invalid grammar, with line and column, or one that is too large.
    """

    def __init__(
        self,
        text: str,
        name: str = "grammar",
        normaliser: Literal["none", "basic", "english"] = "english",
        *,
        max_states: int = MAX_STATES,
    ) -> None:
        self._normaliser = normaliser
        self._network = compile_grammar(parse_jsgf(text, name, normaliser), name, max_states)
        self.graph: WordGraph = self._network.graph()

    def parse(self, text: str) -> Match | None:
        """Return the meaning of a text, or None if the grammar does not accept it."""
        return self.match(normalise(text, self._normaliser).split())

    def match(self, words: Sequence[str]) -> Match | None:
        """Return the meaning of words, or None if the grammar does not accept them.

        The match is empty if the sentence has too many parses to search.
        """
        try:
            path = self._network.path(words)
        except ConfigError:
            return Match()
        return None if path is None else _meaning(path)


class _Part:
    """A part of a sentence while its meaning is computed."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.values: list[Any] = []

    def value(self) -> Any:
        if not self.values:
            return " ".join(self.words)
        return self.values[0] if len(self.values) == 1 else list(self.values)


def _meaning(path: Sequence[str | Mark]) -> Match:
    intent: Any = None
    slots: dict[str, list[Any]] = {}
    stack = [_Part()]
    for step in path:
        if isinstance(step, str):
            stack[-1].words.append(step)
        elif step.kind == "open":
            stack.append(_Part())
        elif step.kind == "value":
            stack[-1].values.append(step.value)
        else:
            part = stack.pop()
            values = part.values
            if step.kind == "intent":
                intent = step.value if intent is None else intent
            elif step.kind == "call":
                values = [FUNCTIONS[step.value](part.values)]
            else:
                tag: Tag = step.value
                value = tag.value if tag.has_value else part.value()
                values = [value] if tag.slot is None else []
                if tag.slot == INTENT:
                    intent = value
                elif tag.slot is not None:
                    slots.setdefault(tag.slot, []).append(value)
            stack[-1].words += part.words
            stack[-1].values += values
    filled = {slot: found[0] if len(found) == 1 else found for slot, found in slots.items()}
    return Match(intent=None if intent is None else str(intent), slots=filled)


def is_jsgf(text: str) -> bool:
    """Return whether a text begins like a JSGF grammar."""
    return text.lstrip("\ufeff").startswith("#JSGF")


def read_grammar(grammar: str | Path) -> tuple[str, str]:
    """Return the text and the name of a grammar, given as text or as the path of a file.

    Raises:
        ConfigError: the file cannot be read or is not a grammar.
    """
    if isinstance(grammar, str) and (is_jsgf(grammar) or "\n" in grammar):
        return grammar, "grammar"
    path = Path(grammar)
    if not str(grammar).strip():
        raise ConfigError("the grammar is empty; give JSGF or its file")
    text = read_text(path, "give JSGF or its file", ConfigError, max_characters=MAX_FILE_CHARACTERS)
    if not is_jsgf(text):
        raise ConfigError(f"{path}: line 1, column 1: a grammar begins with '#JSGF V1.0;'")
    return text, str(path)
