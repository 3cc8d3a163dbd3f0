"""A grammar as a network of states, connected by word arcs and epsilon arcs.

Epsilon arcs match no words; their marks give the meaning of the words around them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from asr_gru.errors import ConfigError
from asr_gru.language.word_graph import WordGraph

__all__ = ["MAX_STATES", "Mark", "Network"]

MAX_STATES = 200_000
ARCS_PER_STATE = 2.5
WORK_PER_STATE = 8
"""Arcs followed to remove epsilon arcs, or to parse a sentence, per allowed state."""


class Mark(NamedTuple):
    """A mark on an epsilon arc: where a part of the grammar begins or ends, or a value.

    Attributes:
        kind: ``open`` begins a part; the others end one: ``tag`` and ``call`` (a function) say
            what becomes of its value, ``intent`` names the whole; ``value`` gives one.
        value: the tag, function, name or value.
    """

    kind: str
    value: Any = None


class Network:
    """The states of a grammar; it begins at state 0 and ends at state 1.

    Args:
        name: name of the grammar in errors.
        max_states: maximum number of states; arcs and work are limited in proportion.

    Attributes:
        epsilon_arcs: target, log-weight and mark of each epsilon arc, by state.
        word_arcs: target and word of each word arc, by state.
    """

    def __init__(self, name: str, max_states: int = MAX_STATES) -> None:
        self.epsilon_arcs: list[list[tuple[int, float, Mark | None]]] = []
        self.word_arcs: list[list[tuple[int, str]]] = []
        self._name = name
        self._max_states = max_states
        self._max_arcs = int(ARCS_PER_STATE * max_states)
        self._max_work = WORK_PER_STATE * max_states
        self._arcs = self._work = 0
        self.add_state()
        self.add_state()

    def add_state(self) -> int:
        """Add a state and return its number.

        Raises:
            ConfigError: too many states.
        """
        if len(self.epsilon_arcs) >= self._max_states:
            self._refuse_size(f"{self._max_states} states once its rules are expanded")
        self.epsilon_arcs.append([])
        self.word_arcs.append([])
        return len(self.epsilon_arcs) - 1

    def add_epsilon(
        self, source: int, target: int, weight: float = 0.0, mark: Mark | None = None
    ) -> None:
        """Add an arc without a word; ConfigError if there are too many arcs."""
        self._count_arc()
        self.epsilon_arcs[source].append((target, weight, mark))

    def add_word(self, source: int, target: int, word: str) -> None:
        """Add an arc with a word; ConfigError if there are too many arcs."""
        self._count_arc()
        self.word_arcs[source].append((target, word))

    def graph(self) -> WordGraph:
        """Return the graph of words, with epsilon arcs removed and equivalent states merged.

        Raises:
            ConfigError: the grammar accepts no sentence, or the graph is too large.
        """
        order, seen = [0], {0}
        first_equivalent: dict[tuple[frozenset[tuple[tuple[int, str], float]], float], int] = {}
        merged: dict[int, int] = {}
        leaving: list[tuple[int, int, str, float]] = []
        finals: list[float] = []
        for state in order:
            reached = self._epsilon_closure({state: (0.0, None)})
            best: dict[tuple[int, str], float] = {}
            for through, (weight, _) in reached.items():
                for target, word in self.word_arcs[through]:
                    key = target, word
                    best[key] = max(best.get(key, -math.inf), weight)
            final = reached[1][0] if state and 1 in reached else -math.inf
            first = first_equivalent.setdefault((frozenset(best.items()), final), state)
            if first != state:
                merged[state] = merged[first]
                continue
            merged[state] = len(finals)
            finals.append(final)
            for (target, word), weight in best.items():
                if target not in seen:
                    seen.add(target)
                    order.append(target)
                leaving.append((len(finals) - 1, target, word, weight))
            if len(leaving) > self._max_arcs:
                self._refuse_size(f"{self._max_arcs} arcs between words")
        if not np.isfinite(finals).any():
            raise ConfigError(f"{self._name}: no sentence can be said; give the rules words")
        words: dict[str, int] = {}
        arcs: dict[tuple[int, int, int], float] = {}
        for source, target, word, weight in leaving:
            arc = source, merged[target], words.setdefault(word, len(words))
            arcs[arc] = max(arcs.get(arc, -math.inf), weight)
        table = np.array([*arcs], np.int64).reshape(-1, 3)
        return WordGraph(
            words=[word.rstrip(".") for word in words],
            spoken_as=[*words],
            source=table[:, 0].copy(),
            target=table[:, 1].copy(),
            word=table[:, 2].copy(),
            weight=np.array([*arcs.values()]),
            final=np.array(finals),
        )

    def path(self, words: Sequence[str]) -> list[str | Mark] | None:
        """Return words and marks of the best path for a sentence, None if there is none.

        Raises:
            ConfigError: too many paths to search.
        """
        self._work = 0
        now = self._epsilon_closure({0: (0.0, None)})
        for word in words:
            after: dict[int, tuple[float, Any]] = {}
            for at, (weight, back) in now.items():
                for target, spelled in self.word_arcs[at]:
                    same = spelled.rstrip(".") == word
                    if same and (target not in after or weight > after[target][0]):
                        after[target] = weight, (back, word)
            now = self._epsilon_closure(after)
        if 1 not in now:
            return None
        labels = []
        back = now[1][1]
        while back is not None:
            back, label = back
            labels.append(label)
        return labels[::-1]

    def _epsilon_closure(
        self, states: Mapping[int, tuple[float, Any]]
    ) -> dict[int, tuple[float, Any]]:
        """Return all states reached without a word, each by its best path (Dijkstra 1959).

        Args:
            states: log-weight of each, and a linked list of the words and marks before it.
        """
        reached: dict[int, tuple[float, Any]] = {}
        queue = [(-weight, at) for at, (weight, _) in states.items()]
        heapq.heapify(queue)
        best = dict(states)
        while queue:
            cost, at = heapq.heappop(queue)
            if at in reached:
                continue
            weight, back = reached[at] = best[at]
            self._work += 1 + len(self.epsilon_arcs[at])
            if self._work > self._max_work:
                self._refuse_size(f"{self._max_work} steps to find the arcs between words")
            for target, more, mark in self.epsilon_arcs[at]:
                if target not in best or weight + more > best[target][0]:
                    best[target] = weight + more, (back, mark) if mark else back
                    heapq.heappush(queue, (cost - more, target))
        return reached

    def _count_arc(self) -> None:
        self._arcs += 1
        if self._arcs > self._max_arcs:
            self._refuse_size(f"{self._max_arcs} arcs once its rules are expanded")

    def _refuse_size(self, limit: str) -> NoReturn:
        raise ConfigError(
            f"{self._name}: too large: more than {limit}; leave out alternatives, optional parts "
            "or nested rules"
        )
