"""The syntax tree of a JSGF grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "Alternatives",
    "Computed",
    "Listed",
    "Node",
    "Place",
    "Reference",
    "Repeat",
    "Rule",
    "Series",
    "Tag",
    "Tagged",
    "Void",
    "Words",
]


class Place(NamedTuple):
    """A position in the text of a grammar, counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        """Return the position as errors show it."""
        return f"line {self.line}, column {self.column}"


class Tag(NamedTuple):
    """A tag in braces.

    Attributes:
        slot: name of the slot that is filled; None for a value alone.
        has_value: whether the tag contains the value; otherwise it is that of the tagged part.
        value: the value.
    """

    slot: str | None
    has_value: bool
    value: Any


@dataclass(frozen=True, slots=True)
class Words:
    """Consecutive words, as in ``WordGraph.spoken_as``."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a rule, by name without angle brackets."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Series:
    """A sequence of parts; without parts it is ``<NULL>``, which matches no words."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A choice of one option.

    Attributes:
        options: the options.
        weights: log-weight of each, in nats.
    """

    options: tuple[Node, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part that is optional (``least`` 0), can be repeated (``again``), or both."""

    part: Node
    least: int
    again: bool


@dataclass(frozen=True, slots=True)
class Tagged:
    """A part followed by a tag."""

    part: Node
    tag: Tag


@dataclass(frozen=True, slots=True)
class Listed:
    """A choice of one word sequence from a list, each with a value."""

    entries: Sequence[tuple[tuple[str, ...], Any]]


@dataclass(frozen=True, slots=True)
class Computed:
    """A part whose values are combined by a function of ``builtin_rules.FUNCTIONS``."""

    part: Node
    function: str


@dataclass(frozen=True, slots=True)
class Void:
    """``<VOID>``, which nothing matches."""


Node: TypeAlias = (
    Words | Reference | Series | Alternatives | Repeat | Tagged | Listed | Computed | Void
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a grammar."""

    name: str
    is_public: bool
    node: Node
    place: Place
