"""Parses JSGF grammars (W3C note of 2000); ``import`` is not supported."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from asr_gru.errors import ConfigError
from asr_gru.language.jsgf_lexer import Token, refuse, tokenize
from asr_gru.language.jsgf_tree import (
    Alternatives,
    Node,
    Reference,
    Repeat,
    Rule,
    Series,
    Tag,
    Tagged,
    Void,
    Words,
)
from asr_gru.text.normaliser import normalise

__all__ = ["parse_jsgf"]

MAX_DEPTH = 50
"""Maximum nesting of brackets."""
MAX_SUFFIXES = 8
NAME = re.compile(r"[^\W\d][\w.-]*")
CLOSING = {"(": ")", "[": "]"}
NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")
CONSTANTS = {"true": True, "false": False, "null": None}


def parse_jsgf(
    text: str, name: str, normaliser: Literal["none", "basic", "english"] = "english"
) -> dict[str, Rule]:
    """Parse the rules of a grammar.

    Args:
        text: the grammar.
        name: name of the grammar in errors.
        normaliser: normaliser of the model's words.

    Raises:
        ConfigError: an invalid grammar, with line and column.
    """
    return _Parser(tokenize(text, name), name, normaliser).rules()


class _Parser:
    def __init__(
        self, tokens: list[Token], name: str, normaliser: Literal["none", "basic", "english"]
    ) -> None:
        self._tokens = tokens
        self._name = name
        self._normaliser = normaliser
        self._next = 0
        self._depth = 0

    def rules(self) -> dict[str, Rule]:
        self._declarations()
        rules: dict[str, Rule] = {}
        while self._next < len(self._tokens):
            rule = self._rule()
            if rule.name in rules:
                first = rules[rule.name].place
                refuse(self._name, rule.place, f"<{rule.name}> is already defined at {first}")
            rules[rule.name] = rule
        if not any(rule.is_public for rule in rules.values()):
            raise ConfigError(
                f"{self._name}: no public rule; mark the rules that can be spoken with 'public'"
            )
        return rules

    def _declarations(self) -> None:
        while (token := self._peek()) and token.text in ("grammar", "import"):
            if token.text == "import":
                refuse(self._name, token.place, "import is not supported; copy the rules here")
            while (now := self._take("';' after the grammar's name")).text != ";":
                if now.kind != "word":
                    refuse(self._name, now.place, "the grammar's name ends with ';'")

    def _rule(self) -> Rule:
        token = self._take("a rule")
        is_public = token.text == "public"
        if is_public:
            token = self._take("a rule's name")
        if token.kind != "rule":
            refuse(self._name, token.place, f"{_shown(token)}: a rule is written <name> = ... ;")
        name = token.text[1:-1].strip()
        if not NAME.fullmatch(name) or name in ("NULL", "VOID"):
            refuse(self._name, token.place, f"<{name}> cannot be defined; use another name")
        if (sign := self._take("'=' after the rule's name")).text != "=":
            refuse(self._name, sign.place, f"{_shown(sign)}: expected '=' after the rule's name")
        node = self._alternatives()
        end = self._take(f"';' at the end of <{name}>")
        if end.text != ";":
            refuse(self._name, end.place, f"{_shown(end)} without an opening one")
        return Rule(name, is_public, node, token.place)

    def _alternatives(self) -> Node:
        options: list[Node] = []
        weights: list[float | None] = []
        while True:
            token = self._peek()
            weight = None
            if token and token.kind == "weight":
                self._next += 1
                weight = self._weight(token)
            begin = self._peek() or token
            options.append(self._series())
            weights.append(weight)
            if (weights[0] is None) != (weight is None) and begin:
                refuse(self._name, begin.place, "either all alternatives have a weight or none")
            token = self._peek()
            if not token or token.text != "|":
                break
            self._next += 1
        given = [weight for weight in weights if weight is not None]
        highest = max(given, default=0.0)
        if not given:
            return (
                options[0]
                if len(options) == 1
                else Alternatives(tuple(options), (0.0,) * len(options))
            )
        logs = [math.log(weight / highest) if weight > 0 else -math.inf for weight in given]
        return Alternatives(tuple(options), tuple(logs))

    def _weight(self, token: Token) -> float:
        try:
            weight = float(token.text[1:-1])
        except ValueError:
            weight = math.nan
        if not 1e-9 <= weight <= 1e9 and weight != 0:
            refuse(self._name, token.place, f"{_shown(token)}: a weight is a number, as /0.5/")
        return weight

    def _series(self) -> Node:
        parts: list[Node] = []
        begin = self._peek()
        while (token := self._peek()) and token.text not in ("|", ";", ")", "]"):
            parts.append(self._tagged())
        if not parts:
            where = self._peek() or begin or self._tokens[-1]
            refuse(self._name, where.place, f"nothing before {_shown(where)}; write <NULL>")
        return parts[0] if len(parts) == 1 else Series(tuple(parts))

    def _tagged(self) -> Node:
        node = self._part()
        count = 0
        while (token := self._peek()) and (token.text in ("*", "+") or token.kind == "tag"):
            self._next += 1
            count += 1
            if count > MAX_SUFFIXES:
                refuse(
                    self._name, token.place, f"more than {MAX_SUFFIXES} of *, + and tags in a row"
                )
            if token.kind == "tag":
                node = Tagged(node, self._tag(token))
            else:
                node = Repeat(node, 0 if token.text == "*" else 1, again=True)
        return node

    def _part(self) -> Node:
        token = self._take("words")
        if token.text in CLOSING:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                refuse(self._name, token.place, f"more than {MAX_DEPTH} brackets within each other")
            node = self._alternatives()
            closing = self._peek()
            if closing is None or closing.text == ";":
                refuse(self._name, token.place, f"{token.text!r} is not closed")
            if closing.text != CLOSING[token.text]:
                refuse(
                    self._name,
                    closing.place,
                    f"{closing.text!r} closes the {token.text!r} of {token.place}",
                )
            self._next += 1
            self._depth -= 1
            return Repeat(node, 0, again=False) if token.text == "[" else node
        if token.kind == "rule":
            return self._reference(token)
        if token.kind in ("word", "quoted"):
            return self._words(token)
        what = {"tag": "tag", "weight": "weight"}.get(token.kind, _shown(token))
        return refuse(self._name, token.place, f"unexpected {what}")

    def _reference(self, token: Token) -> Node:
        name = token.text[1:-1].strip()
        if name == "NULL":
            return Series(())
        if name == "VOID":
            return Void()
        if not NAME.fullmatch(name):
            refuse(self._name, token.place, f"{_shown(token)} is not a name")
        return Reference(name, token.place)

    def _words(self, token: Token) -> Node:
        text = token.text
        if token.kind == "quoted":
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        words = tuple(normalise(text, self._normaliser).split())
        if not words:
            refuse(self._name, token.place, f"{_shown(token)} has no words")
        return Words(words)

    def _tag(self, token: Token) -> Tag:
        text = re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL).strip()
        slot, equals, value = (part.strip() for part in text.partition("="))
        if (not slot and not equals) or (slot and not NAME.fullmatch(slot)):
            refuse(
                self._name,
                token.place,
                f"{_shown(token)}: write {{slot}}, {{slot=value}} or {{=value}}",
            )
        return Tag(slot or None, bool(equals), _constant(value))

    def _peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, wanted: str) -> Token:
        token = self._peek()
        if token is None:
            if not self._tokens:
                raise ConfigError(f"{self._name}: no rules; write 'public <name> = words;'")
            refuse(self._name, self._tokens[-1].place, f"the grammar ends here without {wanted}")
        self._next += 1
        return token


def _constant(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return CONSTANTS.get(text, text)


def _shown(token: Token) -> str:
    return repr(token.text if len(token.text) < 30 else token.text[:27] + "...")
