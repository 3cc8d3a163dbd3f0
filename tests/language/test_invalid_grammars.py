"""Grammars that are refused: one line with the place, in bounded time and memory."""

from __future__ import annotations

import tracemalloc

import pytest

from asr_gru.errors import ConfigError
from asr_gru.language import Grammar

HEADER = "#JSGF V1.0;\n"


def grammar(text: str, **more) -> Grammar:
    return Grammar(HEADER + text, **more)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no public rule"),
        ("<a> = x;", "no public rule; mark the rules that can be spoken"),
        ("public <a> = <VOID>;", "no sentence can be said"),
        ("public <a> = x <b>;", "line 2, column 16: <b> is not defined"),
        ("public <a> = <nubmer.1-9>;", "is not defined"),
        ("public <a> = x;\n<c> = <b>;", "line 3, column 7: <b> is not defined"),
        ("public <a> = <letter> <leters>;", "did you mean 'letters'"),
        ("public <a> = <a> x | y;", "line 2, column 14: left recursion (<a> to <a>)"),
        ("public <a> = x <b>; <b> = [z] <c>; <c> = <b>;", "left recursion (<b> to <c> to <b>)"),
        ("public <a> = x <a> y | z;", "line 2, column 16: recursion (<a> within <a>)"),
        ("public <a> = (x <a>) {t} | z;", "recursion (<a> within <a>)"),
        ("public <a> = (x;", "line 2, column 14: '(' is not closed"),
        ("public <a> = x\n [y;", "line 3, column 2: '[' is not closed"),
        ("public <a> = x);", "line 2, column 15: ')' without an opening one"),
        ("public <a> = (x];", "']' closes the '(' of line 2, column 14"),
        ("public <a> = x", "ends here without ';'"),
        ("public <a> = /x/ b | c;", "line 2, column 14: '/x/': a weight is a number"),
        ("public <a> = /nan/ b;", "a weight is a number"),
        ("public <a> = /-1/ b;", "a weight is a number"),
        ("public <a> = /1/ b | c;", "either all alternatives have a weight or none"),
        ("public <a> = b /1/;", "unexpected weight"),
        ("public <a> = b | ;", "nothing before ';'"),
        ("public <a> = {x} b;", "unexpected tag"),
        ("public <a> = b {x y};", "write {slot}, {slot=value} or {=value}"),
        ("public <a> = b {x;", "'{' is not closed"),
        ("public <a> = <b;", "'<' is not closed"),
        ('public <a> = "b;', "quoted words end on their line"),
        ("public <a> = b; /* c", "line 2, column 17: '/*' is not closed"),
        ("public <a> = b; public <a> = c;", "<a> is already defined at line 2, column 8"),
        ("public <NULL> = b;", "<NULL> cannot be defined"),
        ("import <com.acme.*>; public <a> = b;", "line 2, column 1: import is not supported"),
        ("public <a> = ?;", "has no words"),
        ("public <a> = <number.9-1>;", "line 2, column 14: <number.9-1>: give a range"),
        ("public <a> = <number.1-20000>;", "spans at most 10000"),
        ("public <a> = <number>;", "give the range, as <number.1-100>"),
    ],
)
def test_syntax_errors_name_line_and_column(text, said):
    with pytest.raises(ConfigError) as refusal:
        grammar(text, name="my.jsgf")
    message = str(refusal.value)
    assert said in message
    assert message.startswith("my.jsgf: ")
    assert "\n" not in message


def test_a_grammar_needs_its_header():
    with pytest.raises(ConfigError, match="a grammar begins with"):
        Grammar("public <a> = b;")


HOSTILE = {
    "doubling": "".join(f"<a{i}> = <a{i + 1}> <a{i + 1}>;" for i in range(60)) + "<a60> = x;",
    "optional": "".join(f"<a{i}> = [<a{i + 1}>] [<a{i + 1}>];" for i in range(60)) + "<a60> = x;",
    "chain": "".join(f"<a{i}> = <a{i + 1}>;" for i in range(5_000)) + "<a5000> = x;",
    "brackets": "<a0> = " + "(" * 10_000 + ";",
    "all optional": "<a0> = " + "[a] " * 5_000 + ";",
    "loops in a row": "<a0> = " + "(a | b)* " * 5_000 + ";",
    "numbers": "<a0> = " + "<number.1-9999> " * 50 + ";",
    "comments": "<a0> = a " + "/* " * 50_000,
    "braces": "<a0> = a " + "{a} " * 9 + ";",
    "length": "<a0> = " + "a " * 600_000 + ";",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_malicious_grammars_are_refused_within_bounds(text):
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=r"large|more than|nested|not closed|characters"):
            grammar(text + "public <s> = <a0>;", max_states=10_000)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()
