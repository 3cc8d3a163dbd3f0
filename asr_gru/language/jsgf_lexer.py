"""Splits a JSGF grammar into tokens with their positions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from asr_gru.errors import ConfigError
from asr_gru.language.jsgf_tree import Place

__all__ = ["Token", "refuse", "tokenize"]

HEADER = re.compile(r"\ufeff?#JSGF(?:[ \t]+V1\.0)?(?:[ \t]+[\w.-]+)*[ \t]*;?")
SKIPPED = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.DOTALL)
TOKEN = re.compile(
    r"""(?P<rule><[^<>\n]*>)
    |(?P<weight>/[^/\n]*/)
    |(?P<tag>\{(?:[^\\{}]|\\.)*\})
    |(?P<quoted>"(?:[^"\\\n]|\\.)*")
    |(?P<sign>[=;|()\[\]*+])
    |(?P<word>[^\s=;|()\[\]*+<>{}/"]+)""",
    re.VERBOSE | re.DOTALL,
)
MAX_CHARACTERS = 1_000_000


class Token(NamedTuple):
    """A token: its kind (a group of ``TOKEN``), text and position."""

    kind: str
    text: str
    place: Place


def refuse(name: str, place: Place, problem: str) -> NoReturn:
    """Raise a ConfigError with the position of the problem in the grammar."""
    raise ConfigError(f"{name}: {place}: {problem}")


def tokenize(text: str, name: str) -> list[Token]:
    """Return the tokens after the header.

    Raises:
        ConfigError: no header, too long, or an unexpected character.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{name}: {len(text)} characters; a grammar has at most {MAX_CHARACTERS}")
    header = HEADER.match(text)
    if not header:
        raise ConfigError(f"{name}: line 1, column 1: a grammar begins with '#JSGF V1.0;'")
    return [*_tokens(text, header.end(), name)]


def _tokens(text: str, first: int, name: str) -> Iterator[Token]:
    line, line_start = 1 + text.count("\n", 0, first), text.rfind("\n", 0, first) + 1
    last_comment = text.rfind("*/") - 2
    while first < len(text):
        place = Place(line, first - line_start + 1)
        if text.startswith("/*", first) and first > last_comment:
            refuse(name, place, "'/*' is not closed; a comment ends with */")
        found = SKIPPED.match(text, first) or TOKEN.match(text, first)
        if not found:
            problems = {
                "<": "'<' is not closed; write a rule's name between < and >",
                "{": "'{' is not closed; write a tag between { and }",
                '"': "'\"' is not closed; quoted words end on their line",
                "/": "'/' is not closed; write a weight as /0.5/, a comment as /* ... */",
            }
            refuse(name, place, problems.get(text[first], f"unexpected {text[first]!r}"))
        if found.lastgroup:
            yield Token(found.lastgroup, found[0], place)
        lines = found[0].count("\n")
        if lines:
            line += lines
            line_start = first + found[0].rindex("\n") + 1
        first = found.end()
