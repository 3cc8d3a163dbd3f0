"""Parsing of numbers in words, the inverse of ``numerals``.

Words are a number only if that number is spelled with exactly these words.
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_gru.text.numerals import LARGEST, SCALES, SMALL, TENS, cardinal, ordinal, year

__all__ = [
    "CARDINALS",
    "DIGITS",
    "ORDINALS",
    "parse_cardinal",
    "parse_decimal",
    "parse_ordinal",
    "parse_time",
    "parse_year",
    "write_cardinal",
    "write_ordinal",
]

DIGITS = {word: str(value) for value, word in enumerate(SMALL[:10])}
UNITS = {word: value for value, word in enumerate(SMALL)} | {
    word: 10 * tens for tens, word in enumerate(TENS, 2)
}
MULTIPLIERS = {"hundred": 100} | {name: scale for scale, name in SCALES}
CARDINALS = UNITS.keys() | MULTIPLIERS.keys()
ORDINAL_ENDINGS = {
    ordinal(value): cardinal(value) for value in (*range(20), *range(20, 100, 10))
} | {f"{name}th": name for name in MULTIPLIERS}
ORDINALS = ORDINAL_ENDINGS.keys()
MAX_WORDS = 40
"""More words than any number up to ``LARGEST`` has."""


def parse_cardinal(words: Sequence[str]) -> int | None:
    """Return the number that ``cardinal`` spells with these words, or None."""
    if not 0 < len(words) <= MAX_WORDS:
        return None
    total = group = 0
    for word in words:
        if word in UNITS:
            group += UNITS[word]
        elif word == "hundred":
            group *= 100
        elif word in MULTIPLIERS:
            total, group = total + group * MULTIPLIERS[word], 0
        elif word != "and":
            return None
    number = total + group
    return number if number <= LARGEST and cardinal(number) == " ".join(words) else None


def parse_ordinal(words: Sequence[str]) -> int | None:
    """Return the number that ``ordinal`` spells with these words, or None."""
    if not words or words[-1] not in ORDINAL_ENDINGS:
        return None
    return parse_cardinal([*words[:-1], ORDINAL_ENDINGS[words[-1]]])


def parse_year(words: Sequence[str]) -> int | None:
    """Return the year, 1100 to 1999 or 2010 to 2099, that ``year`` spells this way, or None."""
    if len(words) < 2:
        return None
    century = UNITS.get(words[0], 0)
    rest = 0 if words[1] == "hundred" else _pair(words[1:])
    number = None if rest is None else 100 * century + rest
    if number is None or not (1100 <= number <= 1999 or 2010 <= number <= 2099):
        return None
    return number if year(number) == " ".join(words) else None


def parse_time(words: Sequence[str]) -> tuple[int, int] | None:
    """Return hour (1 to 12) and minute of ``seven``, ``seven thirty`` or ``seven oh five``."""
    hour = UNITS.get(words[0], 0) if words else 0
    minute = 0 if len(words) == 1 else _pair(words[1:])
    if minute is None or not 1 <= hour <= 12 or minute >= 60:
        return None
    return (hour, minute) if len(words) == 1 or minute else None


def parse_decimal(words: Sequence[str]) -> tuple[str, str] | None:
    """Return ``3.5`` and ``million`` for ``three point five million``; the scale may be ""."""
    words, scale = list(words), ""
    if len(words) > 3 and words[-1] in MULTIPLIERS and words[-1] != "hundred":
        scale = words.pop()
    if words.count("point") != 1:
        return None
    point = words.index("point")
    whole, decimals = parse_cardinal(words[:point]), words[point + 1 :]
    if whole is None or not decimals or not all(word in DIGITS for word in decimals):
        return None
    return f"{whole:,}.{''.join(DIGITS[word] for word in decimals)}", scale


def write_cardinal(number: int) -> str:
    """Return the written form of a number: ``999``, ``1,204``, ``2 million``."""
    for scale, name in SCALES[1:4]:
        if number >= scale and number % scale == 0 and number // scale < 1000:
            return f"{number // scale} {name}"
    return f"{number:,}"


def write_ordinal(number: int) -> str:
    """Return the written form of an ordinal: ``21st``, ``112th``."""
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _pair(words: Sequence[str]) -> int | None:
    """Return the value, 1 to 99, of two spoken digits: ``oh five``, ``thirty four``."""
    if len(words) == 2 and words[0] == "oh":
        value = UNITS.get(words[1], 0)
        return value if 1 <= value <= 9 else None
    number = parse_cardinal(words)
    return number if number is not None and 10 <= number <= 99 else None
