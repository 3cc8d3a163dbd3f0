"""The tokens of a JSGF grammar, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from asr_gru.errors import ConfigError
from asr_gru.language.jsgf_tree import Place

__all__ = ["Token", "refuse", "tokens_of"]

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
"""Characters of a grammar."""
SHOWN = 30


class Token(NamedTuple):
    """A piece of a grammar: what kind it is, as ``TOKEN`` names them, its text, where it is."""

    kind: str
    text: str
    place: Place


def refuse(name: str, place: Place, problem: str) -> NoReturn:
    """Raise a ConfigError that says where in the grammar the problem is."""
    raise ConfigError(f"{name}: {place}: {problem}")


def tokens_of(text: str, name: str) -> list[Token]:
    """Return the tokens behind the header.

    Raises:
        ConfigError: no header, too long, or a character that stands where none can.
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
                "<": "'<' is not closed; a rule's name stands between < and >",
                "{": "'{' is not closed; a tag stands between { and }",
                '"': "'\"' is not closed; quoted words end on their line",
                "/": "'/' is not closed; write a weight as /0.5/, a comment as /* ... */",
            }
            refuse(name, place, problems.get(text[first], f"{text[first]!r} cannot stand here"))
        if found.lastgroup:
            yield Token(found.lastgroup, found[0], place)
        lines = found[0].count("\n")
        if lines:
            line += lines
            line_start = first + found[0].rindex("\n") + 1
        first = found.end()
