"""Grammars: accepted sentences and their meaning."""

from __future__ import annotations

import inspect
import itertools
import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.errors import ConfigError
from asr_gru.language import Grammar, WordGraph, read_grammar
from asr_gru.language.builtin_rules import NAMES
from asr_gru.results import Match

HEADER = "#JSGF V1.0;\n"


def grammar(text: str, **more) -> Grammar:
    return Grammar(HEADER + text, **more)


def meaning(text: str, said: str):
    match = grammar(text).parse(said)
    return match and (match.intent, match.slots)


TIMER = """
// a timer
public <setTimer> = [please] (set | start) a timer for <number.1-100> {minutes} minutes [<name>];
<name> = called (tea | eggs) {name};
public <stop> = (stop | cancel) [the] timer {intent=stopTimer};
"""


@pytest.mark.parametrize(
    ("said", "intent", "slots"),
    [
        ("set a timer for ten minutes", "setTimer", {"minutes": 10}),
        ("Please start a timer for 25 minutes!", "setTimer", {"minutes": 25}),
        ("set a timer for one hundred minutes", "setTimer", {"minutes": 100}),
        ("set a timer for a hundred minutes", "setTimer", {"minutes": 100}),
        (
            "set a timer for five minutes called eggs",
            "setTimer",
            {"minutes": 5, "name": "eggs"},
        ),
        ("cancel the timer", "stopTimer", {}),
    ],
)
def test_sentences_have_intent_and_slots(said, intent, slots):
    match = grammar(TIMER).parse(said)
    assert match == Match(intent=intent, slots=slots)
    assert match.to_dict() == {"unit": "phrase", "parse": {"intent": intent, "slots": slots}}


@pytest.mark.parametrize(
    "said", ["", "set a timer", "set a timer for ten", "timer", "stop stop timer"]
)
def test_other_sentences_have_no_match(said):
    assert grammar(TIMER).parse(said) is None


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("{on=true}", True),
        ("{on = false}", False),
        ("{on=null}", None),
        ("{on=7}", 7),
        ("{on=-1.5}", -1.5),
        ("{on='7'}", "7"),
        ('{on="a = b"}', "a = b"),
        (r"{on=a\}b}", "a}b"),
        ("{on=1e400}", "1e400"),
        ("{on}", "light on"),
        ("{=5} {on}", 5),
    ],
)
def test_tag_values_are_parsed(tag, value):
    assert meaning(f"public <s> = turn the (light on) {tag};", "turn the light on") == (
        "s",
        {"on": value},
    )


def test_a_slot_that_is_filled_twice_is_a_list():
    text = "public <buy> = <item> ([and] <item>)*; <item> = (milk | brown bread {=bread}) {item};"
    assert meaning(text, "milk") == ("buy", {"item": "milk"})
    assert meaning(text, "milk brown bread and milk") == (
        "buy",
        {"item": ["milk", "bread", "milk"]},
    )


@pytest.mark.parametrize(
    ("rule", "said", "value"),
    [
        ("number.0-10000", "zero", 0),
        ("number.0-10000", "nine thousand nine hundred and ninety nine", 9999),
        ("number.0-10000", "nine thousand nine hundred ninety nine", 9999),
        ("number.900000-900100", "nine hundred thousand and one", 900_001),
        ("ordinal.1-31", "twenty first", 21),
        ("digit", "oh", "0"),
        ("digits", "zero oh seven", "007"),
        ("letter", "w", "W"),
        ("letters", "a c zed", "ACZ"),
        ("weekday", "friday", "friday"),
        ("month", "december", 12),
        ("time", "half past ten", "10:30"),
        ("time", "quarter to one", "12:45"),
        ("time", "ten oh five p m", "22:05"),
        ("time", "twelve thirty a m", "00:30"),
        ("time", "seven o'clock in the evening", "19:00"),
        ("time", "eleven at night", "23:00"),
        ("time", "half past twelve at night", "00:30"),
        ("time", "two at night", "02:00"),
        ("time", "eighteen hundred", "18:00"),
        ("time", "twenty one oh five", "21:05"),
        ("time", "twenty to eight", "07:40"),
        ("time", "midnight", "00:00"),
        ("date", "march the third", "--03-03"),
        ("date", "the third of march twenty twelve", "2012-03-03"),
        ("date", "february twenty ninth two thousand and four", "2004-02-29"),
        ("date", "may one nineteen oh one", "1901-05-01"),
        ("date", "the twenty ninth of february", "--02-29"),
        ("date", "tomorrow", "tomorrow"),
    ],
)
def test_builtin_rules_have_values(rule, said, value):
    assert meaning(f"public <say> = say <{rule}> {{it}};", f"say {said}") == ("say", {"it": value})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("number.5-9", "four"),
        ("number.5-9", "ten"),
        ("date", "february thirtieth"),
        ("date", "february twenty ninth twenty eleven"),
        ("date", "february twenty ninth nineteen hundred"),
        ("time", "twenty five o'clock"),
        ("time", "thirteen o'clock"),
    ],
)
def test_builtin_rules_accept_only_their_range(rule, said):
    assert meaning(f"public <say> = say <{rule}> {{it}};", f"say {said}") is None


@pytest.mark.parametrize("rule", NAMES)
def test_words_of_builtin_rules_can_be_looked_up(rule):
    words = grammar(f"public <say> = <{rule}>;").graph.spoken_as
    assert [word for word in words if not word or " " in word] == []


def test_a_grammar_can_override_a_builtin_rule():
    text = "public <at> = at <time> {at}; <time> = tea time;"
    assert meaning(text, "at tea time") == ("at", {"at": "tea time"})
    assert meaning(text, "at noon") is None


def test_letters_are_pronounced_as_letters_and_written_without_a_dot():
    graph = grammar("public <s> = a <letter>;").graph
    assert {"a", "a.", "u.", "z."} <= set(graph.spoken_as)
    assert not any(word.endswith(".") for word in graph.words)


def test_right_recursion_is_allowed():
    text = "public <list> = <item> | <item> and <list>; <item> = (milk | bread) {item};"
    assert meaning(text, "milk and bread and milk") == ("list", {"item": ["milk", "bread", "milk"]})
    assert meaning(text, "milk and") is None
    mutual = "public <a> = x <b> | x; <b> = y <a>;"
    assert grammar(mutual).match(["x", "y", "x", "y", "x"])
    assert grammar(mutual).match(["x", "y"]) is None


def test_equivalent_states_are_merged():
    graph = grammar("public <s> = <number.1-99> {n} (red | green) | <letters> {a};").graph
    assert len(graph.final) == 12  # the start, before a colour, the end, after a letter, eight tens
    assert len(graph.source) == 19 + 8 * (1 + 9 + 2) + 2 + 2 * 27


def test_the_whole_notation_is_parsed():
    text = """#JSGF V1.0 UTF-8 en;
    grammar com.acme.Doors;
    /** Opens
      * <not a rule> */
    public <door> = (open | "close quickly" | <VOID> shut) <NULL> the door;  // ;
    """
    read = Grammar(text)
    assert read.parse("open the door")
    assert read.parse("close quickly the door")
    assert read.parse("shut the door") is None


def test_weights_are_log_ratios_to_the_likeliest():
    graph = grammar("public <s> = /2/ a | /1/ b | /0/ c;").graph
    weights = {graph.words[w]: x for w, x in zip(graph.word, graph.weight, strict=True)}
    assert weights == {"a": 0.0, "b": pytest.approx(-np.log(2))}


def test_ambiguous_sentences_get_the_likelier_parse():
    text = "public <s> = /{}/ hey {{a=1}} | /{}/ hey {{b=2}};"
    assert meaning(text.format(3, 1), "hey") == ("s", {"a": 1})
    assert meaning(text.format(1, 3), "hey") == ("s", {"b": 2})


def expansions():
    """Yield grammars with equivalent regular expressions."""
    words = st.sampled_from("abc").map(lambda word: (word, word))

    def larger(inner):
        many = st.lists(inner, min_size=1, max_size=3)
        return st.one_of(
            many.map(
                lambda them: (" ".join(f"({j})" for j, _ in them), "".join(r for _, r in them))
            ),
            many.map(
                lambda them: (
                    "(" + " | ".join(j for j, _ in them) + ")",
                    "(?:" + "|".join(r for _, r in them) + ")",
                )
            ),
            inner.map(lambda it: (f"[{it[0]}]", f"(?:{it[1]})?")),
            inner.map(lambda it: (f"({it[0]})*", f"(?:{it[1]})*")),
            inner.map(lambda it: (f"({it[0]})+", f"(?:{it[1]})+")),
            inner.map(lambda it: (f"({it[0]}) {{t}}", it[1])),
        )

    return st.recursive(words, larger, max_leaves=8)


def accepts(graph: WordGraph, words) -> bool:
    states = {0}
    for word in words:
        states = {
            int(target)
            for source, target, number in zip(graph.source, graph.target, graph.word, strict=True)
            if source in states and graph.words[number] == word
        }
    return any(np.isfinite(graph.final[state]) for state in states)


@settings(max_examples=60, deadline=None)
@given(expansions())
def test_grammars_accept_what_equivalent_regular_expressions_accept(both):
    jsgf, expression = both
    try:
        read = grammar(f"public <s> = {jsgf};")
    except ConfigError as error:
        pytest.fail(str(error))
    for length in range(1, 5):
        for words in itertools.product("abc", repeat=length):
            expected = re.fullmatch(expression, "".join(words)) is not None
            assert (read.match(words) is not None) == expected
            assert accepts(read.graph, words) == expected


def test_the_deepest_allowed_grammar_does_not_overflow_the_stack():
    depth = len(inspect.stack(0))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 800)
    try:
        inner = "[" * 49 + "a" + "] {=1}+{=2}" * 49
        with pytest.raises(ConfigError, match="nested deeper"):
            grammar(f"public <s> = {inner};")
    finally:
        sys.setrecursionlimit(limit)


def test_a_sentence_with_too_many_parses_has_an_empty_match():
    read = grammar("public <s> = " + "(a | b)* " * 10 + "{x};", max_states=1_000)
    assert read.match(["a"]) == Match(intent="s", slots={"x": ""})
    assert read.match(["a"] * 1_000) == Match()


def test_grammars_are_read_from_text_and_files(tmp_path):
    path = tmp_path / "a.jsgf"
    path.write_bytes(b"\xef\xbb\xbf#JSGF V1.0;\npublic <a> = b;")
    text, name = read_grammar(path)
    assert Grammar(text, name).parse("b")
    assert name == str(path)
    assert read_grammar(str(path)) == (text, name)
    assert read_grammar(text) == (text, "grammar")
    path.write_bytes(b"\xff\xfe")
    for wrong, said in (
        (path, "not UTF-8"),
        ("none.jsgf", "none.jsgf: No such file"),
        ("\0", "no such file"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_grammar(wrong)
