"""Compiles the rules of a grammar into a network.

Every reference is replaced by a copy of its rule (Thompson 1968), so the size of the result is
limited. A rule may refer to itself at its very end, which becomes a loop; other recursion would
need a stack and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from asr_gru.errors import ConfigError
from asr_gru.language.grammar_network import MAX_STATES, Mark, Network
from asr_gru.language.grammar_references import builtin_node, check_references
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

__all__ = ["compile_grammar"]

MAX_DEPTH = 150


def compile_grammar(rules: Mapping[str, Rule], name: str, max_states: int = MAX_STATES) -> Network:
    """Return the network of a grammar's public rules.

    Args:
        rules: all rules of the grammar.
        name: name of the grammar in errors.
        max_states: maximum number of states.

    Raises:
        ConfigError: an unknown rule, recursion other than at the end of a rule, or a grammar that
            is too large.
    """
    check_references(rules, name)
    compiler = _Compiler(rules, name, Network(name, max_states))
    for rule in rules.values():
        if rule.is_public:
            compiler.add_public(rule)
    return compiler.network


class _Compiler:
    """Adds rules to a network.

    Attributes:
        network: the network.
        _open: first and last state of each rule that is being added.
    """

    def __init__(self, rules: Mapping[str, Rule], name: str, network: Network) -> None:
        self.network = network
        self._rules = rules
        self._name = name
        self._open: dict[str, tuple[int, int]] = {}

    def add_public(self, rule: Rule) -> None:
        """Add a rule from the beginning of the network to its end."""
        first, last = self._marked(0, 1, Mark("intent", rule.name))
        self._add_rule(Reference(rule.name, rule.place), first, last, 0)

    def _marked(self, first: int, last: int, closing: Mark) -> tuple[int, int]:
        """Return new states around a part that ends with a mark."""
        begin, end = self.network.add_state(), self.network.add_state()
        self.network.add_epsilon(first, begin, mark=Mark("open"))
        self.network.add_epsilon(end, last, mark=closing)
        return begin, end

    def _add(self, node: Node, first: int, last: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ConfigError(f"{self._name}: rules and brackets nested deeper than {MAX_DEPTH}")
        if isinstance(node, Words):
            for word in node.words[:-1]:
                state = self.network.add_state()
                self.network.add_word(first, state, word)
                first = state
            self.network.add_word(first, last, node.words[-1])
        elif isinstance(node, Reference):
            self._add_rule(node, first, last, depth + 1)
        elif isinstance(node, Series):
            for part in node.parts[:-1]:
                state = self.network.add_state()
                self._add(part, first, state, depth + 1)
                first = state
            if node.parts:
                self._add(node.parts[-1], first, last, depth + 1)
            else:
                self.network.add_epsilon(first, last)
        elif isinstance(node, Alternatives):
            for option, weight in zip(node.options, node.weights, strict=True):
                if weight > -math.inf:
                    begin = first
                    if weight:
                        begin = self.network.add_state()
                        self.network.add_epsilon(first, begin, weight)
                    self._add(option, begin, last, depth + 1)
        elif isinstance(node, Repeat):
            begin, end = self.network.add_state(), self.network.add_state()
            self.network.add_epsilon(first, begin)
            self.network.add_epsilon(end, last)
            self._add(node.part, begin, end, depth + 1)
            if not node.least:
                self.network.add_epsilon(first, last)
            if node.again:
                self.network.add_epsilon(end, begin)
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

    def _list(self, node: Listed, first: int, last: int) -> None:
        """Add a list as a prefix tree."""
        children: dict[tuple[int, str], int] = {}
        root = self.network.add_state()
        self.network.add_epsilon(first, root)
        for words, value in node.entries:
            state = root
            for word in words:
                if (state, word) not in children:
                    children[state, word] = self.network.add_state()
                    self.network.add_word(state, children[state, word], word)
                state = children[state, word]
            self.network.add_epsilon(state, last, mark=Mark("value", value))

    def _add_rule(self, reference: Reference, first: int, last: int, depth: int) -> None:
        """Add the rule of a reference, or a loop to a rule that ends with it."""
        name = reference.name
        if name not in self._rules:
            self._add(builtin_node(reference, self._rules, self._name), first, last, depth)
        elif name not in self._open:
            begin = self.network.add_state()
            self.network.add_epsilon(first, begin)
            self._open[name] = begin, last
            self._add(self._rules[name].node, begin, last, depth)
            del self._open[name]
        else:
            begin, end = self._open[name]
            if end != last:
                refuse(
                    self._name,
                    reference.place,
                    f"recursion (<{name}> within <{name}>); a rule may refer to itself only "
                    "at its end, outside of tags; write a repetition as ( ... )*",
                )
            self.network.add_epsilon(first, begin)
