"""State of the graph search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.tree_state import Floats, Ints

__all__ = ["CompletedPhone", "GraphState", "Tokens"]

NODE, BLANK, WORD, ONSET, END = range(5)
"""Rows of ``Tokens.ints``."""
SCORE, ACOUSTIC, PEAK = range(3)
"""Rows of ``Tokens.floats``."""


class CompletedPhone(NamedTuple):
    """A completed phone of a path.

    Attributes:
        before: the previous phone.
        ints: node, whether in blank, completed word or -1, first frame, last frame.
        floats: score and acoustic score up to the next phone, highest log-probability of the phone.
    """

    before: CompletedPhone | None
    ints: tuple[int, ...]
    floats: tuple[float, ...]


class Tokens(NamedTuple):
    """The best paths to nodes, one column each.

    Attributes:
        ints: ``(5, n)``: node of the graph; 1 when the path ends in blank; the word that the
            newest phone completed, or -1; its first and last frame, -1 before the first.
        floats: ``(3, n)``: score; its acoustic part; the newest phone's highest
            log-probability in a frame.
        history: ``(n,)`` the phone before the newest, a ``CompletedPhone`` or None.
    """

    ints: Ints
    floats: Floats
    history: npt.NDArray[Any]

    def at(self, index: Any) -> Tokens:
        """Return the columns at ``index``."""
        return Tokens(self.ints[:, index], self.floats[:, index], self.history[index])


@dataclass(frozen=True, slots=True)
class GraphState:
    """State of a stream between two calls; immutable.

    Attributes:
        frame: number of frames so far.
        tokens: the kept tokens.
        other: ``(phones + 1,)`` score of the phone loop by newest phone; column 0 ends in blank.
        blank_score: summed log-probability of the frames skipped since the last searched frame.
        after_blank: whether any frames were skipped.
        finished: whether the sentence end has been scored.
    """

    frame: int
    tokens: Tokens
    other: Floats
    blank_score: float = 0.0
    after_blank: bool = False
    finished: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle chains of phones as flat rows, as long chains exceed the recursion limit."""
        index: dict[int, int] = {id(None): -1}
        before, ints, floats = [], [], []
        for head in self.tokens.history.tolist():
            chain = []
            while id(head) not in index:
                chain.append(head)
                head = head.before
            for phone in reversed(chain):
                before.append(index[id(phone.before)])
                ints.append(phone.ints)
                floats.append(phone.floats)
                index[id(phone)] = len(before) - 1
        heads = [index[id(head)] for head in self.tokens.history.tolist()]
        rest = self.other, self.blank_score, self.after_blank, self.finished
        tokens = self.tokens.ints, self.tokens.floats, heads
        return _restored, (self.frame, tokens, (before, ints, floats), rest)


def _restored(
    frame: int,
    tokens: tuple[Ints, Floats, list[int]],
    phones: tuple[list[int], list[tuple[int, ...]], list[tuple[float, ...]]],
    rest: tuple[Floats, float, bool, bool],
) -> GraphState:
    completed: list[CompletedPhone | None] = []
    for before, ints, floats in zip(*phones, strict=True):
        previous = completed[before] if before >= 0 else None
        completed.append(CompletedPhone(previous, ints, floats))
    history = np.full(len(tokens[2]), None, object)
    for column, head in enumerate(tokens[2]):
        history[column] = completed[head] if head >= 0 else None
    return GraphState(frame, Tokens(tokens[0], tokens[1], history), *rest)


def start_tokens() -> Tokens:
    """Return a single token at the start node."""
    ints = np.full((5, 1), -1)
    ints[NODE], ints[BLANK] = 0, 1
    return Tokens(ints, np.zeros((3, 1)), np.full(1, None, object))
