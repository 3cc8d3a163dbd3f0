"""Built-in rules of grammars: numbers, ordinals, digits, letters, times and dates."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from asr_gru.errors import ConfigError, did_you_mean
from asr_gru.language.english import LETTER_NAMES
from asr_gru.language.jsgf_tree import Alternatives, Computed, Listed, Node, Repeat, Series
from asr_gru.text.numerals import cardinal, ordinal, year

__all__ = ["FUNCTIONS", "NAMES", "builtin_rule", "unknown_rule"]

RANGE = re.compile(r"(number|ordinal)\.(\d{1,9})-(\d{1,9})")
MAX_RANGE = 10_000
MAX_NUMBER = 999_999
MONTHS = [
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
]
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LEAP_DAY = "02-29"
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
RELATIVE = ("today", "tomorrow", "yesterday")
YEARS = range(1900, 2100)
Entries = list[tuple[tuple[str, ...], Any]]


def builtin_rule(name: str) -> Node | None:
    """Return the node of a built-in rule, or None if there is none of this name.

    Raises:
        ConfigError: an invalid range of numbers.
    """
    if name in RULES:
        return RULES[name]()
    found = RANGE.fullmatch(name)
    if found:
        low, high = int(found[2]), int(found[3])
        least = 0 if found[1] == "number" else 1
        if not least <= low <= high <= MAX_NUMBER or high - low > MAX_RANGE:
            raise ConfigError(
                f"<{name}>: give a range that spans at most {MAX_RANGE}, within "
                f"{least} to {MAX_NUMBER}"
            )
        return _numbers(found[1], low, high)
    kind = name.partition(".")[0]
    if kind in ("number", "ordinal"):
        raise ConfigError(f"<{name}>: give the range, as <{kind}.1-100>")
    return None


def unknown_rule(name: str, defined: Sequence[str]) -> str:
    """Return the error message for a name that is not defined."""
    return f"<{name}> is not defined{did_you_mean(name, [*defined, *NAMES])}"


@lru_cache(maxsize=32)
def _numbers(kind: str, low: int, high: int) -> Node:
    entries: Entries = []
    spell = cardinal if kind == "number" else ordinal
    for number in range(low, high + 1):
        words = spell(number)
        ways = {words, words.replace(" and ", " ")}
        if 100 <= number % 1000 < 200 or number == 1000:
            ways |= {f"a {way[4:]}" for way in ways if way.startswith("one ")}
        entries += [(tuple(way.split()), number) for way in sorted(ways)]
    return Listed(entries)


def _either(*options: Node) -> Node:
    return Alternatives(options, (0.0,) * len(options))


def _digit() -> Node:
    named = [((cardinal(number),), str(number)) for number in range(10)]
    return Listed([*named, (("oh",), "0")])


def _letter() -> Node:
    # the dot stands for the name of the letter, as "a" is a word, too
    named = [((f"{letter}.",), letter.upper()) for letter in LETTER_NAMES]
    return Listed([*named, (("zed",), "Z")])


@lru_cache(maxsize=1)
def _time() -> Node:
    clock: Entries = []
    for hour in range(1, 24):
        spoken = cardinal(hour).split()
        clock.append(((*spoken,), (hour, 0)))
        clock += [
            ((*spoken, *(f"oh {cardinal(m)}" if m < 10 else cardinal(m)).split()), (hour, m))
            for m in range(1, 60)
        ]
        if hour > 12:
            clock.append(((*spoken, "hundred"), (hour, 0)))
            continue
        before = (hour - 2) % 12 + 1
        clock += [
            ((*spoken, "o'clock"), (hour, 0)),
            (("half", "past", *spoken), (hour, 30)),
            (("quarter", "past", *spoken), (hour, 15)),
            (("a", "quarter", "past", *spoken), (hour, 15)),
            (("quarter", "to", *spoken), (before, 45)),
            (("a", "quarter", "to", *spoken), (before, 45)),
        ]
        for minutes in (5, 10, 20, 25):
            spelled = cardinal(minutes).split()
            clock.append(((*spelled, "past", *spoken), (hour, minutes)))
            clock.append(((*spelled, "to", *spoken), (before, 60 - minutes)))
    half: Entries = [
        (("a.", "m."), "am"),
        (("p.", "m."), "pm"),
        (("in", "the", "morning"), "am"),
        (("in", "the", "afternoon"), "pm"),
        (("in", "the", "evening"), "pm"),
        (("at", "night"), "night"),
    ]
    named: Entries = [(("noon",), (12, 0)), (("midday",), (12, 0)), (("midnight",), (0, 0))]
    full = Series((Listed(clock), Repeat(Listed(half), 0, again=False)))
    return Computed(_either(full, Listed(named)), "time")


@lru_cache(maxsize=1)
def _date() -> Node:
    days: Entries = []
    leap_days: Entries = []
    for number, (month, length) in enumerate(zip(MONTHS, DAYS, strict=True), 1):
        for day in range(1, length + 1):
            value = f"{number:02}-{day:02}"
            nth, count = ordinal(day).split(), cardinal(day).split()
            entries = leap_days if value == LEAP_DAY else days
            entries += [
                ((month, *nth), value),
                ((month, "the", *nth), value),
                ((month, *count), value),
                ((*nth, "of", month), value),
                (("the", *nth, "of", month), value),
            ]
    years: Entries = []
    for number in YEARS:
        ways = {year(number)}
        if number >= 2000:
            ways |= {cardinal(number), cardinal(number).replace(" and ", " ")}
        years += [(tuple(way.split()), number) for way in sorted(ways)]
    named: Entries = [((name,), name) for name in (*RELATIVE, *WEEKDAYS)]
    leap_years = [(words, number) for words, number in years if isleap(number)]
    dates = [
        Series((Listed(some), Repeat(Listed(own_years), 0, again=False)))
        for some, own_years in ((days, years), (leap_days, leap_years))
    ]
    return _either(Computed(_either(*dates), "date"), Listed(named))


RULES: dict[str, Callable[[], Node]] = {
    "digit": _digit,
    "digits": lambda: Computed(Repeat(_digit(), 1, again=True), "join"),
    "letter": _letter,
    "letters": lambda: Computed(Repeat(_letter(), 1, again=True), "join"),
    "time": _time,
    "date": _date,
    "weekday": lambda: Listed([((name,), name) for name in WEEKDAYS]),
    "month": lambda: Listed([((name,), number) for number, name in enumerate(MONTHS, 1)]),
}
NAMES = (*RULES, "number.1-100", "ordinal.1-31")


def _as_time(values: list[Any]) -> str:
    (hour, minute), *half = values
    if (half == ["pm"] and hour < 12) or (half == ["night"] and 6 <= hour < 12):
        hour += 12
    elif half in (["am"], ["night"]) and hour == 12:
        hour = 0
    return f"{hour:02}:{minute:02}"


def _as_date(values: list[Any]) -> str:
    day, *years = values
    return f"{years[0]}-{day}" if years else f"--{day}"


FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "join": lambda values: "".join(values),
    "time": _as_time,
    "date": _as_date,
}
"""Functions that combine values, by the names in ``Computed``."""
