"""Checks the references between rules of a grammar for unknown rules and left recursion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from asr_gru.errors import ConfigError
from asr_gru.language.builtin_rules import builtin_rule, unknown_rule
from asr_gru.language.jsgf_lexer import refuse
from asr_gru.language.jsgf_tree import (
    Alternatives,
    Computed,
    Node,
    Reference,
    Repeat,
    Rule,
    Series,
    Tagged,
)

__all__ = ["builtin_node", "check_references"]


def builtin_node(reference: Reference, rules: Mapping[str, Rule], name: str) -> Node:
    """Return the node of a built-in rule.

    Raises:
        ConfigError: there is no such rule, with line and column.
    """
    try:
        node = builtin_rule(reference.name)
    except ConfigError as error:
        refuse(name, reference.place, str(error))
    if node is None:
        refuse(name, reference.place, unknown_rule(reference.name, [*rules]))
    return node


def check_references(rules: Mapping[str, Rule], name: str) -> None:
    """Check for unknown rules and left recursion, by an iterative depth-first search.

    Args:
        rules: all rules of the grammar.
        name: name of the grammar in errors.

    Raises:
        ConfigError: an unknown rule or left recursion, with line and column.
    """
    uses: dict[str, list[Reference]] = {}
    for rule in rules.values():
        found = _references(rule.node)
        for reference, _ in found:
            if reference.name not in rules:
                builtin_node(reference, rules, name)
        uses[rule.name] = [one for one, is_first in found if is_first and one.name in rules]
    done: set[str] = set()
    for top in rules:
        stack: list[tuple[str, int]] = [(top, 0)] if top not in done else []
        on_stack = {top}
        while stack:
            rule_name, position = stack.pop()
            if position == len(uses[rule_name]):
                done.add(rule_name)
                on_stack.discard(rule_name)
                continue
            stack.append((rule_name, position + 1))
            used = uses[rule_name][position]
            if used.name in on_stack:
                names = [one for one, _ in stack]
                cycle = [*names[names.index(used.name) :], used.name]
                refuse(
                    name,
                    used.place,
                    f"left recursion ({_shown(cycle)}); write a repetition as ( ... )* or ( ... )+",
                )
            if used.name not in done:
                stack.append((used.name, 0))
                on_stack.add(used.name)


def _shown(cycle: list[str]) -> str:
    names = [f"<{one}>" for one in cycle]
    return " to ".join(names if len(names) <= 5 else [*names[:3], "...", names[-1]])


def _references(node: Node) -> list[tuple[Reference, bool]]:
    """Return the references in a node, and whether each can be at its beginning."""
    found: list[tuple[Reference, bool]] = []

    def visit(node: Node, *, is_first: bool) -> bool:
        """Collect references; return whether the node is optional."""
        if isinstance(node, Reference):
            found.append((node, is_first))
        elif isinstance(node, Series):
            for part in node.parts:
                is_first = visit(part, is_first=is_first) and is_first
            return is_first
        elif isinstance(node, Alternatives):
            return any(list(map(partial(visit, is_first=is_first), node.options)))
        elif isinstance(node, Repeat):
            return visit(node.part, is_first=is_first) or node.least == 0
        elif isinstance(node, Tagged | Computed):
            return visit(node.part, is_first=is_first)
        return False

    visit(node, is_first=True)
    return found
