"""A grammar: what can be said, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from asr_gru.errors import ConfigError
from asr_gru.language.grammar_network import MAX_STATES, Mark, Network
from asr_gru.language.jsgf_parser import parse_jsgf
from asr_gru.language.jsgf_tree import Tag
from asr_gru.language.ready_rules import FUNCTIONS
from asr_gru.language.word_graph import WordGraph
from asr_gru.results import Match
from asr_gru.text.normaliser import normalise

__all__ = ["Grammar", "is_jsgf", "read_grammar"]

MAX_FILE_BYTES = 4_000_000
INTENT = "intent"


class Grammar:
    """A JSGF grammar.

        grammar = Grammar(text)
        print(grammar.parse("set a timer for ten minutes"))

    Args:
        text: the grammar.
        name: what errors call it.
        normaliser: how the model's words are written.
        max_states: the size that it may have once its rules are written out, in states.

    Attributes:
        graph: the words.

    Raises:
        ConfigError: a fault in the grammar, with line and column, or one that is too large.
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
        self._network = Network(parse_jsgf(text, name, normaliser), name, max_states)
        self.graph: WordGraph = self._network.graph()

    def parse(self, text: str) -> Match | None:
        """Return what a text means; None if the grammar does not have it."""
        return self.match(normalise(text, self._normaliser).split())

    def match(self, words: Sequence[str]) -> Match | None:
        """Return what words mean; None if the grammar does not have them.

        The match is empty if the sentence can be read in too many ways to look at all of them.
        """
        try:
            path = self._network.path(words)
        except ConfigError:
            return Match()
        return None if path is None else _meaning(path)


class _Part:
    """A part of a sentence that is being read."""

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
            passed = part.values
            if step.kind == "intent":
                intent = step.value if intent is None else intent
            elif step.kind == "call":
                passed = [FUNCTIONS[step.value](part.values)]
            else:
                tag: Tag = step.value
                value = tag.value if tag.has_value else part.value()
                passed = [value] if tag.slot is None else []
                if tag.slot == INTENT:
                    intent = value
                elif tag.slot is not None:
                    slots.setdefault(tag.slot, []).append(value)
            stack[-1].words += part.words
            stack[-1].values += passed
    found = {name: values[0] if len(values) == 1 else values for name, values in slots.items()}
    return Match(intent=None if intent is None else str(intent), slots=found)


def is_jsgf(text: str) -> bool:
    """Return whether a text begins as a grammar does."""
    return text.lstrip("\ufeff").startswith("#JSGF")


def read_grammar(grammar: str | Path) -> tuple[str, str]:
    """Return the text of a grammar, given as text or as the path of a file, and its name.

    Raises:
        ConfigError: a file that cannot be read, or is no grammar.
    """
    if isinstance(grammar, str) and (is_jsgf(grammar) or "\n" in grammar):
        return grammar, "grammar"
    path = Path(grammar)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "no such file"
        raise ConfigError(f"{str(path)[:80]}: {problem}; give JSGF or its file") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes; make the grammar smaller")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8 text") from None
    if not is_jsgf(text):
        raise ConfigError(f"{path}: line 1, column 1: a grammar begins with '#JSGF V1.0;'")
    return text, str(path)
