"""Rules that write spoken numbers, amounts, times and dates in digits.

The English normaliser must turn whatever a rule writes back into the spoken words. Ambiguous
numbers stay in words: ``one two three``, ``two to four``, ``twenty second``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from asr_gru.text.names import AMBIGUOUS_MONTHS, MONTHS
from asr_gru.text.normaliser import normalise
from asr_gru.text.spoken_numbers import (
    CARDINALS,
    DIGITS,
    ORDINALS,
    parse_cardinal,
    parse_decimal,
    parse_ordinal,
    parse_time,
    parse_year,
    write_cardinal,
    write_ordinal,
)

__all__ = ["WrittenWord", "reads_back", "write_numbers"]

SMALLEST = 10
"""Smaller numbers stay words, unless they are amounts, times or dates."""
CURRENCIES = {
    **dict.fromkeys(("dollar", "dollars"), "$"),
    **dict.fromkeys(("euro", "euros"), "€"),
    **dict.fromkeys(("rupee", "rupees"), "₹"),
    "yen": "¥",
}
WITH_HUNDREDTHS = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€"} | {
    "pound": "£",  # without pence, it may be a weight
    "pounds": "£",
}
UNITS_OF_PRICES = CURRENCIES.keys() | WITH_HUNDREDTHS.keys()
HUNDREDTHS = frozenset({"cent", "cents", "penny", "pence"})
ATTRIBUTES = frozenset({"bill", "bills", "note", "notes", "coin", "coins"})
SCALES = {"celsius": "C", "fahrenheit": "F"}
BEFORE_TIME = frozenset({"at", "by", "until", "till", "before", "after"})
BEFORE_YEAR = (
    frozenset({"in", "since", "until", "during", "year", "of", "before", "after"}) | MONTHS
)
DECADES = {
    "hundreds": "0",
    "tens": "1",
    "twenties": "2",
    "thirties": "3",
    "forties": "4",
    "fifties": "5",
    "sixties": "6",
    "seventies": "7",
    "eighties": "8",
    "nineties": "9",
}
LINKS = {"and": CARDINALS | ORDINALS, "oh": DIGITS.keys(), "point": DIGITS.keys()}
"""Words that link number words, and the words of which one must follow."""


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """The written form of one or several spoken words.

    Attributes:
        text: written form, possibly with spaces: ``$3.5 million``, ``5:30 p.m.``
        first: index of the first spoken word.
        stop: index after the last spoken word.
    """

    text: str
    first: int
    stop: int


def reads_back(written: Sequence[WrittenWord], words: Sequence[str]) -> bool:
    """Return whether written and spoken words are the same after normalisation."""
    if not written:
        return True
    text = " ".join(word.text for word in written)
    spoken = " ".join(words[written[0].first : written[-1].stop])
    return normalise(text, "english") == normalise(spoken, "english")


def write_numbers(words: Sequence[str]) -> Iterator[WrittenWord]:
    """Yield the numbers among spoken words that are written in digits, in order."""
    first = 0
    while first < len(words):
        stop = _run_end(words, first)
        is_number = stop > first and not (
            _follows_point(words, first)
            or _is_price(words, first, stop)
            or _is_possessive(words, stop)
        )
        found = list(_write(words, first, stop)) if is_number else []
        found = [number for number in found if reads_back([number], words)]
        yield from found
        first = max([first + 1, stop, *(number.stop for number in found)])


def _run_end(words: Sequence[str], first: int) -> int:
    """Return the index after the number words that begin at ``first``."""
    stop = first
    while stop < len(words):
        word = words[stop]
        following = words[stop + 1] if stop + 1 < len(words) else ""
        linked = stop > first and following in LINKS.get(word, ())
        if not linked and word not in CARDINALS and word not in ORDINALS:
            break
        stop += 1
    return stop


def _write(words: Sequence[str], first: int, stop: int) -> Iterator[WrittenWord]:
    """Yield the written form of number words; nothing if they are no number, or ambiguous."""
    for rule in (_time, _date, _decimal, _cardinal, _ordinal, _year):
        written = rule(words, first, stop)
        if written is not None:  # an empty list stands for words that are ambiguous
            yield from written
            return
    links = [i for i in range(first, stop) if words[i] == "and"]
    bounds = [first, *(i + 1 for i in links)], [*links, stop]
    parts = list(zip(*bounds, strict=True))
    joined = [words[a:d] for (a, _), (_, d) in pairwise(parts)]
    if len(parts) < 2 or any(parse_cardinal(pair) is not None for pair in joined):
        return
    if all(_is_number(words[a:b]) for a, b in parts):
        for a, b in parts:
            yield from _write(words, a, b)


def _is_number(words: Sequence[str]) -> bool:
    parsers = (parse_cardinal, parse_ordinal, parse_year)
    return any(parse(words) is not None for parse in parsers)


def _before(words: Sequence[str], first: int) -> str:
    return words[first - 1] if first else ""


def _follows_point(words: Sequence[str], first: int) -> bool:
    """Return whether a number may be the decimals of ``point five`` or ``two point oh five``."""
    before = _before(words, first)
    return before == "point" or (before == "oh" and _before(words, first - 1) == "point")


def _is_price(words: Sequence[str], first: int, stop: int) -> bool:
    """Return whether a number may be part of a price such as ``ten dollars fifty``."""
    before, after = words[max(0, first - 2) : first], words[stop : stop + 2]
    follows = len(before) == 2 and before[0] in CARDINALS and before[1] in UNITS_OF_PRICES
    return follows or (len(after) == 2 and after[0] in UNITS_OF_PRICES and after[1] in CARDINALS)


def _is_possessive(words: Sequence[str], stop: int) -> bool:
    """Return whether a number goes on with a possessive, as in ``nineteen eighty four's``."""
    rest = [word for word in words[stop : stop + 2] if word != "and"]
    following = rest[0] if rest else ""
    return following.endswith("'s") and following.removesuffix("'s") in CARDINALS | ORDINALS


def _time(words: Sequence[str], first: int, stop: int) -> list[WrittenWord] | None:
    time = parse_time(words[first:stop])
    if time is None:
        return None
    hour, minute = time
    after = list(words[stop : stop + 2])
    digits = f"{hour}:{minute:02}" if minute else f"{hour}"
    if after in (["a", "m"], ["p", "m"]):
        return [WrittenWord(f"{digits} {after[0]}.m.", first, stop + 2)]
    if after[:1] == ["o'clock"] and not minute:
        return [WrittenWord(f"{digits} o'clock", first, stop + 1)]
    units = {"percent", "degrees", "pounds", *CURRENCIES, *HUNDREDTHS}
    is_amount = after[:1] and after[0] in units
    if minute and _before(words, first) in BEFORE_TIME and not is_amount:
        return [WrittenWord(digits, first, stop)]
    return None


def _date(words: Sequence[str], first: int, stop: int) -> list[WrittenWord] | None:
    """Write the day and year after a month, or the day before ``of`` and a month."""
    month = _before(words, first)
    if words[stop : stop + 1] == ["of"] and words[stop + 1 : stop + 2]:
        day = parse_ordinal(words[first:stop])
        if words[stop + 1] in MONTHS and day and day <= 31:
            return [WrittenWord(write_ordinal(day), first, stop)]
    if month not in MONTHS:
        return None
    for end in range(min(stop, first + 2), first, -1):
        day = parse_ordinal(words[first:end])
        text = write_ordinal(day) if day else ""
        if not day and month not in AMBIGUOUS_MONTHS:
            day = parse_cardinal(words[first:end])
            text = str(day)
        if not day or day > 31:
            continue
        if end == stop:
            follows = _before(words, first - 1) in {"on", "since", "until", "by", "from", "of"}
            is_verb = month in AMBIGUOUS_MONTHS and day <= 3
            return [WrittenWord(text, first, stop)] if follows or not is_verb else None
        number = _year_digits(words[end:stop])
        if number:
            return [WrittenWord(f"{text},", first, end), WrittenWord(number, end, stop)]
    return None


def _year_digits(words: Sequence[str]) -> str | None:
    """Return a year after a date in digits, or None."""
    number = parse_year(words)
    if number is None:
        value = parse_cardinal(words)
        number = value if value is not None and 2000 <= value <= 2009 else None
    return None if number is None else str(number)


def _year(words: Sequence[str], first: int, stop: int) -> list[WrittenWord] | None:
    spoken = words[first:stop]
    after = words[stop] if stop < len(words) else ""
    if after in DECADES and len(spoken) == 1:
        century = parse_cardinal(spoken) or 0
        if 11 <= century <= 20:
            return [WrittenWord(f"{century}{DECADES[after]}0s", first, stop + 1)]
    number = parse_year(spoken)
    if number is None:
        return None
    century, rest = divmod(number, 100)
    is_certain = (
        spoken[1] == "hundred"
        or _before(words, first) in BEFORE_YEAR
        or 17 <= century <= 19
        or (century >= 13 and rest >= 60)
        or (century == 20 and rest % 10 != 0)
    )
    return [WrittenWord(str(number), first, stop)] if is_certain else None


def _decimal(words: Sequence[str], first: int, stop: int) -> list[WrittenWord] | None:
    if "point" not in words[first:stop]:
        return None
    if _before(words, first) == "at" and words[first] == "one":  # at one point
        return []
    decimal = parse_decimal(words[first:stop])
    if decimal is None:
        return []
    amount, scale = decimal
    text = f"{amount} {scale}".strip()
    return [_amount(words, first, stop, text) or WrittenWord(text, first, stop)]


def _cardinal(words: Sequence[str], first: int, stop: int) -> list[WrittenWord] | None:
    number = parse_cardinal(words[first:stop])
    if number is None:
        return None
    if words[stop : stop + 1] and words[stop] in DECADES and first + 1 == stop:
        return _year(words, first, stop)
    before = _before(words, first)
    may_be_2000 = before == "year" or before in MONTHS
    if (before in BEFORE_YEAR and 2000 < number <= 2009) or (may_be_2000 and number == 2000):
        return [WrittenWord(str(number), first, stop)]
    if before in {"in", "since"} | MONTHS and 2009 < number < 2100:  # 2010 is read twenty ten
        return []
    text = write_cardinal(number)
    amount = _amount(words, first, stop, text)
    if amount:
        return [amount]
    return [] if number < SMALLEST else [WrittenWord(text, first, stop)]


def _amount(words: Sequence[str], first: int, stop: int, text: str) -> WrittenWord | None:
    """Return a percentage, a temperature or an amount of money, or None."""
    unit, *after = [*words[stop : stop + 8], "", ""]
    if unit == "percent":
        return WrittenWord(f"{text}%", first, stop + 1)
    if unit in {"degree", "degrees"} and after[0] in SCALES:
        return WrittenWord(f"{text}°{SCALES[after[0]]}", first, stop + 2)
    if unit in WITH_HUNDREDTHS and after[0] == "and" and text.replace(",", "").isdigit():
        end = _run_end(words, stop + 2)
        cents = parse_cardinal(words[stop + 2 : end])
        if cents and cents < 100 and end < len(words) and words[end] in HUNDREDTHS:
            symbol = WITH_HUNDREDTHS[unit]
            return WrittenWord(f"{symbol}{text}.{cents:02}", first, end + 1)
    if unit in HUNDREDTHS and unit.startswith("cent"):
        return WrittenWord(f"{text} {unit}", first, stop + 1)
    if unit in CURRENCIES:
        money = f"{CURRENCIES[unit]}{text}"
        if after[0] in ATTRIBUTES:
            return WrittenWord(f"{money} {after[0]}", first, stop + 2)
        plain = WrittenWord(money, first, stop + 1)
        return plain if reads_back([plain], words) else None
    return None


def _ordinal(words: Sequence[str], first: int, stop: int) -> list[WrittenWord] | None:
    number = parse_ordinal(words[first:stop])
    if number is None:
        return None
    is_small = number < SMALLEST
    is_duration = words[stop - 1] == "second"  # a twenty second delay
    before = _before(words, first)
    is_fraction = (before in {"a", "an"} and first + 1 == stop) or (
        words[first] == "one" and before != "the"
    )
    if is_small or is_duration or is_fraction:
        return []
    return [WrittenWord(write_ordinal(number), first, stop)]
