"""English numbers as they are spoken: 1,204 is one thousand two hundred and four."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["cardinal", "ordinal", "spell_numbers", "year"]

SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"))
IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
LARGEST_DIGITS = 12

MONEY = re.compile(r"([$£€])\s?([0-9][0-9,]*)(?:\.([0-9][0-9]))?(?![0-9])")
ORDINAL = re.compile(r"\b([0-9][0-9,]*)(?:st|nd|rd|th)\b")
YEAR = re.compile(r"(?<![0-9.,])(1[1-9][0-9][0-9]|20[1-9][0-9])(?![0-9,]*[0-9]|\.[0-9]|%)")
NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")


def cardinal(number: int) -> str:
    """Spell ``number``, from 0 to 999,999,999,999."""
    if number < 20:
        return SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f" {SMALL[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{SMALL[hundreds]} hundred" + (f" and {cardinal(rest)}" if rest else "")
    scale, name = next(pair for pair in SCALES if number >= pair[0])
    count, rest = divmod(number, scale)
    link = " and " if 0 < rest < 100 else " "
    return f"{cardinal(count)} {name}" + (f"{link}{cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """Spell the ``number``-th."""
    *before, last = cardinal(number).split()
    if last in IRREGULAR:
        last = IRREGULAR[last]
    else:
        last = (last[:-1] + "ie" if last.endswith("y") else last) + "th"
    return " ".join([*before, last])


def year(number: int) -> str:
    """Spell a year as two numbers: nineteen oh five, nineteen eighty four."""
    century, rest = divmod(number, 100)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {f'oh {SMALL[rest]}' if rest < 10 else cardinal(rest)}"


def spell_numbers(text: str) -> str:
    """Replace sums of money, ordinals, years, percentages and numbers by words."""
    text = MONEY.sub(_money, text)
    text = ORDINAL.sub(lambda match: _spell(match[1], ordinal), text)
    text = YEAR.sub(lambda match: f" {year(int(match[1]))} ", text)
    text = NUMBER.sub(_number, text)
    return text.replace("%", " percent ")


def _digits(text: str) -> str:
    return " ".join(SMALL[int(digit)] for digit in text if digit.isascii() and digit.isdigit())


def _spell(text: str, speller: Callable[[int], str] = cardinal) -> str:
    plain = text.replace(",", "")
    if len(plain) > LARGEST_DIGITS or not plain.isascii() or (plain[0] == "0" and len(plain) > 1):
        return f" {_digits(plain)} "
    return f" {speller(int(plain))} "


def _number(match: re.Match[str]) -> str:
    whole, point, fraction = match[0].partition(".")
    return _spell(whole) + (f"point {_digits(fraction)} " if point else "")


def _money(match: re.Match[str]) -> str:
    unit, small = CURRENCIES[match[1]]
    whole = match[2].replace(",", "")
    words = f"{_spell(match[2]).strip()} {unit}{'' if whole == '1' else 's'}"
    if match[3] and int(match[3]):
        plural = "pence" if small == "penny" else f"{small}s"
        words += f" and {cardinal(int(match[3]))} {small if int(match[3]) == 1 else plural}"
    return f" {words} "
