"""A grammar written out: states joined by words, or by marks that say what the words mean.

Rules are copied to where they stand (Thompson 1968), so what is written out has a largest size. A
rule may refer to itself at its very end, which is a loop; elsewhere that would take a stack.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from asr_gru.errors import ConfigError
from asr_gru.language.grammar_references import check_references, ready_node
from asr_gru.language.jsgf_lexer import refuse
from asr_gru.language.jsgf_tree import (
    Alternatives,
    Computed,
    Listed,
    Node,
    Reference,
    Repeat,
    Rule,
    Series,
    Tagged,
    Void,
    Words,
)
from asr_gru.language.word_graph import WordGraph

__all__ = ["Mark", "Network"]

MAX_STATES = 200_000
ARCS_PER_STATE = 2.5
WORK_PER_STATE = 8
"""Steps that are looked at when those without a word are taken out, and in a sentence."""
MAX_DEPTH = 150


class Mark(NamedTuple):
    """What happens on the way through a grammar.

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
        rules: of the grammar.
        name: what errors call it.
        max_states: how many states it may have; arcs and work are limited in proportion.

    Attributes:
        silent: for each state where a step without a word leads: state, log-weight, mark.
        spoken: for each state where words lead: state, word.

    Raises:
        ConfigError: an unknown rule, recursion that is no loop, or a grammar that is too large.
    """

    def __init__(self, rules: Mapping[str, Rule], name: str, max_states: int = MAX_STATES) -> None:
        self.silent: list[list[tuple[int, float, Mark | None]]] = []
        self.spoken: list[list[tuple[int, str]]] = []
        self._rules = rules
        self._name = name
        self._max_states = max_states
        self._max_arcs = int(ARCS_PER_STATE * max_states)
        self._max_work = WORK_PER_STATE * max_states
        self._arcs = self._work = 0
        self._open: dict[str, tuple[int, int]] = {}
        check_references(rules, name)
        self._state()
        self._state()
        for rule in rules.values():
            if rule.is_public:
                first, last = self._marked(0, 1, Mark("intent", rule.name))
                self._add_rule(Reference(rule.name, rule.place), first, last, 0)

    def graph(self) -> WordGraph:
        """Return the words alone: steps without a word are taken out.

        States after which the same can be said become one.

        Raises:
            ConfigError: nothing can be said, or the graph is too large.
        """
        order, found = [0], {0}
        first_like: dict[tuple[frozenset[tuple[tuple[int, str], float]], float], int] = {}
        same_as: dict[int, int] = {}
        leaving: list[tuple[int, int, str, float]] = []
        finals: list[float] = []
        for state in order:
            reached = self._spread({state: (0.0, None)})
            best: dict[tuple[int, str], float] = {}
            for through, (weight, _) in reached.items():
                for target, word in self.spoken[through]:
                    key = target, word
                    best[key] = max(best.get(key, -math.inf), weight)
            final = reached[1][0] if state and 1 in reached else -math.inf
            like = first_like.setdefault((frozenset(best.items()), final), state)
            if like != state:
                same_as[state] = same_as[like]
                continue
            same_as[state] = len(finals)
            finals.append(final)
            for (target, word), weight in best.items():
                if target not in found:
                    found.add(target)
                    order.append(target)
                leaving.append((len(finals) - 1, target, word, weight))
            if len(leaving) > self._max_arcs:
                self._refuse_size(f"{self._max_arcs} ways from word to word")
        if not np.isfinite(finals).any():
            raise ConfigError(f"{self._name}: no sentence can be said; give the rules words")
        words: dict[str, int] = {}
        arcs: dict[tuple[int, int, int], float] = {}
        for source, target, word, weight in leaving:
            arc = source, same_as[target], words.setdefault(word, len(words))
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

    def _spread(self, states: Mapping[int, tuple[float, Any]]) -> dict[int, tuple[float, Any]]:
        """Add the states that can be reached without a word, each in its best way (Dijkstra).

        Args:
            states: to each its log-weight and the words and marks passed, the last outermost.
        """
        reached: dict[int, tuple[float, Any]] = {}
        waiting = [(-weight, at) for at, (weight, _) in states.items()]
        heapq.heapify(waiting)
        found = dict(states)
        while waiting:
            cost, at = heapq.heappop(waiting)
            if at in reached:
                continue
            weight, back = reached[at] = found[at]
            self._work += 1 + len(self.silent[at])
            if self._work > self._max_work:
                self._refuse_size(f"{self._max_work} steps to find the ways from word to word")
            for target, more, mark in self.silent[at]:
                if target not in found or weight + more > found[target][0]:
                    found[target] = weight + more, (back, mark) if mark else back
                    heapq.heappush(waiting, (cost - more, target))
        return reached

    def path(self, words: Sequence[str]) -> list[str | Mark] | None:
        """Return words and marks of the best way to say a sentence; None if it cannot be said.

        Raises:
            ConfigError: so many ways that looking at them takes too long.
        """
        self._work = 0
        now = self._spread({0: (0.0, None)})
        for word in words:
            after: dict[int, tuple[float, Any]] = {}
            for at, (weight, back) in now.items():
                for target, spoken in self.spoken[at]:
                    same = spoken.rstrip(".") == word
                    if same and (target not in after or weight > after[target][0]):
                        after[target] = weight, (back, word)
            now = self._spread(after)
        if 1 not in now:
            return None
        found = []
        back = now[1][1]
        while back is not None:
            back, passed = back
            found.append(passed)
        return found[::-1]

    def _refuse_size(self, limit: str) -> NoReturn:
        raise ConfigError(
            f"{self._name}: too large: more than {limit}; leave out alternatives, optional parts "
            "or nested rules"
        )

    def _state(self) -> int:
        if len(self.silent) >= self._max_states:
            self._refuse_size(f"{self._max_states} states once its rules are written out")
        self.silent.append([])
        self.spoken.append([])
        return len(self.silent) - 1

    def _step(
        self, source: int, target: int, weight: float = 0.0, mark: Mark | None = None
    ) -> None:
        self._arcs += 1
        if self._arcs > self._max_arcs:
            self._refuse_size(f"{self._max_arcs} steps once its rules are written out")
        self.silent[source].append((target, weight, mark))

    def _marked(self, first: int, last: int, closing: Mark) -> tuple[int, int]:
        """Return states between which a part stands that ends with a mark."""
        begin, end = self._state(), self._state()
        self._step(first, begin, mark=Mark("open"))
        self._step(end, last, mark=closing)
        return begin, end

    def _add(self, node: Node, first: int, last: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ConfigError(f"{self._name}: rules and brackets nested deeper than {MAX_DEPTH}")
        if isinstance(node, Words):
            for word in node.words[:-1]:
                state = self._state()
                self._say(first, state, word)
                first = state
            self._say(first, last, node.words[-1])
        elif isinstance(node, Reference):
            self._add_rule(node, first, last, depth + 1)
        elif isinstance(node, Series):
            for part in node.parts[:-1]:
                state = self._state()
                self._add(part, first, state, depth + 1)
                first = state
            if node.parts:
                self._add(node.parts[-1], first, last, depth + 1)
            else:
                self._step(first, last)
        elif isinstance(node, Alternatives):
            for option, weight in zip(node.options, node.weights, strict=True):
                if weight > -math.inf:
                    begin = first
                    if weight:
                        begin = self._state()
                        self._step(first, begin, weight)
                    self._add(option, begin, last, depth + 1)
        elif isinstance(node, Repeat):
            begin, end = self._state(), self._state()
            self._step(first, begin)
            self._step(end, last)
            self._add(node.part, begin, end, depth + 1)
            if not node.least:
                self._step(first, last)
            if node.again:
                self._step(end, begin)
        elif isinstance(node, Tagged | Computed):
            closing = (
                Mark("tag", node.tag) if isinstance(node, Tagged) else Mark("call", node.function)
            )
            begin, end = self._marked(first, last, closing)
            self._add(node.part, begin, end, depth + 1)
        elif isinstance(node, Listed):
            self._list(node, first, last)
        else:
            assert isinstance(node, Void)

    def _say(self, source: int, target: int, word: str) -> None:
        self._arcs += 1
        if self._arcs > self._max_arcs:
            self._refuse_size(f"{self._max_arcs} steps once its rules are written out")
        self.spoken[source].append((target, word))

    def _list(self, node: Listed, first: int, last: int) -> None:
        """Add a list whose beginnings are shared."""
        inner: dict[tuple[int, str], int] = {}
        root = self._state()
        self._step(first, root)
        for words, value in node.entries:
            state = root
            for word in words:
                if (state, word) not in inner:
                    inner[state, word] = self._state()
                    self._say(state, inner[state, word], word)
                state = inner[state, word]
            self._step(state, last, mark=Mark("value", value))

    def _add_rule(self, reference: Reference, first: int, last: int, depth: int) -> None:
        """Add what a reference stands for; from the end of a rule to its own beginning, a loop."""
        name = reference.name
        if name not in self._rules:
            self._add(ready_node(reference, self._rules, self._name), first, last, depth)
        elif name not in self._open:
            begin = self._state()
            self._step(first, begin)
            self._open[name] = begin, last
            self._add(self._rules[name].node, begin, last, depth)
            del self._open[name]
        else:
            begin, end = self._open[name]
            if end != last:
                refuse(
                    self._name,
                    reference.place,
                    f"recursion (<{name}> within <{name}>); a rule may refer to itself at its end "
                    "alone, without a tag around; write a repetition as ( ... )*",
                )
            self._step(first, begin)
