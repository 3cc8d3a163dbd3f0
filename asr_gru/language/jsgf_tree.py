"""What a grammar consists of once it is read."""

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
    """Where something stands in a grammar, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        """Return the place as errors name it."""
        return f"line {self.line}, column {self.column}"


class Tag(NamedTuple):
    """A tag in braces.

    Attributes:
        slot: the slot that is filled; None for a value alone.
        has_value: whether the tag gives the value; otherwise what it stands behind does.
        value: it.
    """

    slot: str | None
    has_value: bool
    value: Any


@dataclass(frozen=True, slots=True)
class Words:
    """Words in a row, as in ``WordGraph.spoken_as``."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A rule by its name, without angle brackets."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Series:
    """One after the other; without parts it is silence, as ``<NULL>``."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of several.

    Attributes:
        options: they.
        weights: log-weight of each, in nats.
    """

    options: tuple[Node, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Something that may be left out (``least`` 0), or said again (``again``), or both."""

    part: Node
    least: int
    again: bool


@dataclass(frozen=True, slots=True)
class Tagged:
    """Something with a tag behind it."""

    part: Node
    tag: Tag


@dataclass(frozen=True, slots=True)
class Listed:
    """One of many word sequences, each with a value."""

    entries: Sequence[tuple[tuple[str, ...], Any]]


@dataclass(frozen=True, slots=True)
class Computed:
    """Something whose values are made one by a function of this name."""

    part: Node
    function: str


@dataclass(frozen=True, slots=True)
class Void:
    """What cannot be said: ``<VOID>``."""


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
