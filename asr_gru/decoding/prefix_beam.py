"""State of the prefix beam search."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["NEVER", "PathTrace", "Prefix", "PrefixBeam", "Scores"]

Scores = npt.NDArray[np.float64]
NEVER = -math.inf
T = TypeVar("T")


class Prefix:
    """A text, as a node of the tree of texts; ``key`` is equal for equal texts."""

    __slots__ = ("depth", "gain", "gains", "key", "lm_state", "parent", "token")

    def __init__(
        self, parent: Prefix | None, token: int, gain: float = 0.0, lm_state: Any = None
    ) -> None:
        self.parent = parent
        self.token = token
        self.gain = gain  # what fusion gave the last token
        self.gains: dict[int, tuple[float, Any]] = {}  # cache of fusion scores
        self.lm_state = lm_state
        self.depth: int = parent.depth + 1 if parent else 0
        self.key: int = hash((parent.key, token)) if parent else 0


class PathTrace(NamedTuple):
    """The newest token of a path: its first frame, highest log-probability and predecessor."""

    before: PathTrace | None
    frame: int
    log_prob: float


class PrefixBeam(NamedTuple):
    """The kept texts, best first; the arrays have one entry per text.

    Attributes:
        frame: number of frames so far.
        prefixes: the texts.
        blank: log-probability of all paths that end in blank.
        token: log-probability of all paths that end in the last token.
        path_blank: log-probability of the best path that ends in blank.
        path_token: log-probability of the best path that ends in the last token.
        trace_blank: the tokens of the best path that ends in blank.
        trace_token: the tokens of the best path that ends in the last token.
        finished: whether the sentence end has been scored.
    """

    frame: int
    prefixes: tuple[Prefix, ...]
    blank: Scores
    token: Scores
    path_blank: Scores
    path_token: Scores
    trace_blank: tuple[PathTrace | None, ...]
    trace_token: tuple[PathTrace | None, ...]
    finished: bool = False

    def best_traces(self) -> list[PathTrace | None]:
        """Return the tokens of the best path of either kind."""
        ends_blank = (self.path_blank >= self.path_token).tolist()
        columns = zip(self.trace_blank, self.trace_token, ends_blank, strict=True)
        return [by_blank if ends else by_token for by_blank, by_token, ends in columns]

    def after_blank(self) -> PrefixBeam:
        """Return the beam after a frame that is blank with probability one."""
        never = np.full(len(self.prefixes), NEVER)
        return PrefixBeam(
            self.frame + 1,
            self.prefixes,
            np.logaddexp(self.blank, self.token),
            never,
            np.maximum(self.path_blank, self.path_token),
            never,
            tuple(self.best_traces()),
            (None,) * len(self.prefixes),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle texts and tokens as tables, as linked nodes exceed the recursion limit."""
        texts = _chains(self.prefixes, lambda node: node.parent)
        tokens = _chains((*self.trace_blank, *self.trace_token), lambda trace: trace.before)
        return _unpickle, (
            [
                (
                    texts[id(node.parent)][0] if node.parent else -1,
                    node.token,
                    node.gain,
                    node.lm_state,
                )
                for _, node in texts.values()
            ],
            [
                (tokens[id(trace.before)][0] if trace.before else -1, trace.frame, trace.log_prob)
                for _, trace in tokens.values()
            ],
            [texts[id(node)][0] for node in self.prefixes],
            [
                tokens[id(trace)][0] if trace else -1
                for trace in (*self.trace_blank, *self.trace_token)
            ],
            (self.frame, self.blank, self.token, self.path_blank, self.path_token, self.finished),
        )


def _chains(ends: Iterable[T | None], before: Callable[[T], T | None]) -> dict[int, tuple[int, T]]:
    """Number all nodes that lead to ``ends``, each after the one before it."""
    numbered: dict[int, tuple[int, T]] = {}
    for end in ends:
        chain = []
        node = end
        while node is not None and id(node) not in numbered:
            chain.append(node)
            node = before(node)
        for link in reversed(chain):
            numbered[id(link)] = len(numbered), link
    return numbered


def _unpickle(
    texts: list[tuple[int, int, float, Any]],
    tokens: list[tuple[int, int, float]],
    prefixes: list[int],
    traces: list[int],
    rest: tuple[Any, ...],
) -> PrefixBeam:
    nodes: list[Prefix] = []
    for parent, token, gain, lm_state in texts:
        nodes.append(Prefix(nodes[parent] if parent >= 0 else None, token, gain, lm_state))
    links: list[PathTrace | None] = []
    for before, frame, log_prob in tokens:
        links.append(PathTrace(links[before] if before >= 0 else None, frame, log_prob))
    frame, blank, token, path_blank, path_token, finished = rest
    ends = [links[i] if i >= 0 else None for i in traces]
    return PrefixBeam(
        frame,
        tuple(nodes[i] for i in prefixes),
        blank,
        token,
        path_blank,
        path_token,
        tuple(ends[: len(prefixes)]),
        tuple(ends[len(prefixes) :]),
        finished,
    )
