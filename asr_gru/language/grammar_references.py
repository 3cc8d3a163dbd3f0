"""Which rules of a grammar refer to which: unknown ones and left recursion are refused."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from asr_gru.errors import ConfigError
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
from asr_gru.language.ready_rules import ready_rule, unknown_rule

__all__ = ["check_references", "ready_node"]


def ready_node(reference: Reference, rules: Mapping[str, Rule], name: str) -> Node:
    """Return what a ready rule stands for.

    Raises:
        ConfigError: there is no such rule, with line and column.
    """
    try:
        node = ready_rule(reference.name)
    except ConfigError as error:
        refuse(name, reference.place, str(error))
    if node is None:
        refuse(name, reference.place, unknown_rule(reference.name, [*rules]))
    return node


def check_references(rules: Mapping[str, Rule], name: str) -> None:
    """Refuse unknown rules and left recursion; goes along the rules without recursion of its own.

    Args:
        rules: of the grammar.
        name: what errors call it.

    Raises:
        ConfigError: what is refused, with line and column.
    """
    uses: dict[str, list[Reference]] = {}
    for rule in rules.values():
        found = _references(rule.node)
        for reference, _ in found:
            if reference.name not in rules:
                ready_node(reference, rules, name)
        uses[rule.name] = [one for one, is_first in found if is_first and one.name in rules]
    done: set[str] = set()
    for top in rules:
        trail: list[tuple[str, int]] = [(top, 0)] if top not in done else []
        within = {top}
        while trail:
            rule_name, position = trail.pop()
            if position == len(uses[rule_name]):
                done.add(rule_name)
                within.discard(rule_name)
                continue
            trail.append((rule_name, position + 1))
            used = uses[rule_name][position]
            if used.name in within:
                names = [one for one, _ in trail]
                way = [*names[names.index(used.name) :], used.name]
                refuse(
                    name,
                    used.place,
                    f"left recursion ({_shown(way)}); write a repetition as ( ... )* or ( ... )+",
                )
            if used.name not in done:
                trail.append((used.name, 0))
                within.add(used.name)


def _shown(way: list[str]) -> str:
    names = [f"<{one}>" for one in way]
    return " to ".join(names if len(names) <= 5 else [*names[:3], "...", names[-1]])


def _references(node: Node) -> list[tuple[Reference, bool]]:
    """Return the rules that a node refers to, and whether each may come first."""
    found: list[tuple[Reference, bool]] = []

    def look(node: Node, *, is_first: bool) -> bool:
        """Collect references; return whether the node can be left out."""
        if isinstance(node, Reference):
            found.append((node, is_first))
        elif isinstance(node, Series):
            for part in node.parts:
                is_first = look(part, is_first=is_first) and is_first
            return is_first
        elif isinstance(node, Alternatives):
            return any(list(map(partial(look, is_first=is_first), node.options)))
        elif isinstance(node, Repeat):
            return look(node.part, is_first=is_first) or node.least == 0
        elif isinstance(node, Tagged | Computed):
            return look(node.part, is_first=is_first)
        return False

    look(node, is_first=True)
    return found
