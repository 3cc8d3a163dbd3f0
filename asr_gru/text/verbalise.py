"""Numbers in English text, in words.

Each class of number (dates, times, money, ranges, …) has one pattern and one function. They are
applied in order, each to the output of the previous one. The input is in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from asr_gru.text.money import MONEY, spell_money
from asr_gru.text.numerals import cardinal, digits, fraction, ordinal, plural, year

__all__ = ["verbalise"]

# Commas separate thousands only in groups of three; elsewhere they separate numbers. A match begins
# with the first digit of a run only, as searching from each would take quadratic time.
INTEGER = r"(?<![0-9])(?:(?<![0-9],)[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])|[0-9]+)"
# Thousands between apostrophes (10'000), or between spaces if a group is 000, which no number
# begins with.
GROUPS = re.compile(
    r"(?<![0-9.,:/'])(?<![0-9] )[1-9][0-9]{0,2}(?:(?:'[0-9]{3})+|(?: [0-9]{3})* 000)"
    r"(?!'?[0-9]| [0-9]|[,:/][0-9])"
)
DENOMINATORS = frozenset([*range(2, 11), 12, 16, 20, 25, 32, 50, 64, 100, 1000])
MAX_CARDINAL_DIGITS = 12  # more digits without commas are read one by one

RANGE = re.compile(
    r"(?<![\w.,/:–-])(?P<currency>[$£€¥₹]?)(?P<left>[0-9][0-9.,:]*)(?P<unit>'?s|%|°|\s?[ap]\.?m\.?|st|nd|rd|th)?"
    r"(?:\s?–\s?|-|\s-\s)(?P<right>(?P<currency2>[$£€¥₹]?)(?P<number>[0-9][0-9.,:]*)(?<![.,:])"
    r"(?P<unit2>'?s\b|%|°|\s?[ap]\.?m\b|st\b|nd\b|rd\b|th\b)?)(?![0-9]|[/–-][0-9])"
)
CODE = re.compile(
    r"(?<![\w-])(?:\([0-9]{3}\)\s?)?(?:[0-9]+(?:-[0-9]+){2,}|[0-9]{3}-[0-9]{4})(?![\w-])"
)
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(
    r"(?<![0-9:.,])([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9]))?(?![0-9:])(?:\s?([ap])\.?\s?m\b\.?)?"
    r"|(?<![0-9:.,$£€])([0-9]{1,2})(?:[.]([0-5][0-9]))?\s?([ap])\.?m\b\.?"
)
SIGN_BEHIND_CURRENCY = re.compile(r"(?<![^\s(\[])([$£€¥₹])([+−-])(?=\.?[0-9])")
RATIO = re.compile(r"(?<=[0-9]):(?=[0-9])")
FRACTION = re.compile(
    rf"(?<![0-9/.,])(?:({INTEGER})(?:\s|-))?([0-9]{{1,2}})[/⁄]([0-9]{{1,4}})(?![0-9/⁄]|[.,][0-9])"
)
PLURAL = re.compile(rf"(?:(?<![a-z0-9])')?({INTEGER})'?s\b")
ROUND = re.compile("100|1,?000|1,?000,?000")
ORDINAL = re.compile(rf"({INTEGER})(?:st|nd|rd|th)\b")
SHORT_YEAR = re.compile(r"(?<![a-z0-9])'([0-9]{2})(?![0-9])")
DEGREES = re.compile(rf"({INTEGER})\s?°\s?([cf]\b)?")
SIGN = re.compile(r"(?<![^\s(\[])([+-]|±\s?)(?=\.?[0-9])")
BETWEEN = re.compile(r"(?<=[0-9])\s*([+=×÷−]|x(?=\s?[0-9]))\s*(?=[0-9])")
YEAR = re.compile(
    r"(?<![0-9])(?<![0-9]\.)(1[1-9][0-9][0-9]|20[1-9][0-9])(?![0-9]|,[0-9]{3}(?![0-9])|\.[0-9]|%)"
)
NUMBER = re.compile(rf"((?<![0-9.])\.[0-9]+)|({INTEGER})((?:\.[0-9]+)*)")
DIGIT = re.compile("[0-9]")
MINUS = re.compile(r"−\s?(?=\.?[0-9])")
TRAILING_PLUS = re.compile(r"(?<=[0-9])\+(?!\w)")
NUMBER_SIGN = re.compile(r"(?:#|\bno\.)\s?(?=[0-9])")
# Matches anything but plain integers between spaces, which only YEAR and NUMBER can match.
NOT_PLAIN = re.compile(
    r"[^\s0-9(][0-9]|[0-9](?![0-9\s]|[.,;:!?)\"]*(?:\s|$))|[#$£€¥₹¢°+=×÷−±–⁄/%]|\bno\."
    r"|[0-9]\s+(?:[ap]\.?m\b|[0-9x-])"
)
SIGNS = {"+": "plus", "-": "minus", "±": "plus or minus", "−": "minus"}
OPERATORS = {
    "+": "plus",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "−": "minus",
    "x": "by",
}


def verbalise(text: str) -> str:
    """Replace numbers and the signs ``%``, ``&`` and ``@`` in lower-case ``text`` by words."""
    if DIGIT.search(text):
        if " 000" in text or "'" in text:
            text = GROUPS.sub(lambda match: re.sub("[ ']", ",", match[0]), text)
        for needed, pattern, spell in RULES if NOT_PLAIN.search(text) else RULES[-2:]:
            if not needed or any(character in text for character in needed):
                text = pattern.sub(spell, text)
    return text.replace("%", " percent ").replace("&", " and ").replace("@", " at ")


def _integer(text: str, spell: Callable[[int], str] = cardinal) -> str:
    plain = text.replace(",", "")
    longest = 18 if "," in text else MAX_CARDINAL_DIGITS
    if len(plain) > longest or (plain[0] == "0" and len(plain) > 1):
        return digits(plain)
    return spell(int(plain))


def _range(match: re.Match[str]) -> str:
    left, right = (re.sub("[,:]", "", match[name]) for name in ("left", "number"))
    unit = match["unit"] or ""
    try:
        ascending = float(left.rstrip(".")) < float(right)
    except ValueError:  # more than one point
        ascending = False
    if len(left) > len(right) == 2 and (left + right).isdigit():  # 1914-18
        ascending = int(left[-2:]) < int(right)
    word = "to" if ascending or unit or match["unit2"] or ":" in match[0] else ""
    currency = match["currency"]
    if currency and not match["currency2"]:  # $10-20
        return f"{match['left']} {word} {currency}{match['right']}"
    return f"{currency}{match['left']}{unit} {word} {match['right']}"


def _code(match: re.Match[str]) -> str:
    if ISO_DATE.fullmatch(match[0]):
        return match[0].replace("-", " ")
    return f" {digits(match[0])} "


def _time(match: re.Match[str]) -> str:
    hour, minute, second, half = match.group(1, 2, 3, 4)
    if hour is None:
        hour, minute, half = match.group(5, 6, 7)
    words = [cardinal(int(hour))]
    if minute is not None and minute != "00":
        words.append(f"oh {cardinal(int(minute))}" if minute[0] == "0" else cardinal(int(minute)))
    elif minute == "00" and half is None and second is None:
        words.append("o'clock" if 0 < int(hour) < 13 else "hundred")
    elif minute == "00" and second is not None:
        words.append("zero")
    if second is not None:
        words.append(f"oh {cardinal(int(second))}" if second[0] == "0" else cardinal(int(second)))
    if half is not None:
        words.append(f"{half} m")
    return f" {' '.join(words)} "


def _fraction(match: re.Match[str]) -> str:
    whole, numerator, denominator = match[1], int(match[2]), int(match[3])
    simple = 0 < numerator < denominator and denominator in DENOMINATORS and match[3][0] != "0"
    if not simple:
        return match[0].replace("/", " ").replace("⁄", " ")
    if whole is None:
        return f" {fraction(numerator, denominator)} "
    part = fraction(numerator, denominator)
    if numerator == 1:
        part = part.replace("one ", "an " if denominator == 8 else "a ", 1)
    return f" {_integer(whole)} and {part} "


def _plural(match: re.Match[str]) -> str:
    number = match[1]
    if ROUND.fullmatch(number):  # hundreds of people
        return f" {plural(_integer(number)).removeprefix('one ')} "
    if re.fullmatch("1[0-9]{2}0|20[1-9]0", number):
        return f" {plural(year(int(number)))} "
    if match[0].endswith("'s") and re.fullmatch("(1[1-9]|20)[0-9][1-9]", number):  # 1984's hits
        spelled = _integer(number) if number.startswith("200") else year(int(number))
        return f" {spelled}'s "
    return f" {plural(_integer(number))} "


def _short_year(match: re.Match[str]) -> str:
    number = int(match[1])
    return f" oh {cardinal(number)} " if number < 10 else f" {cardinal(number)} "


def _degrees(match: re.Match[str]) -> str:
    scale = {"c": "celsius", "f": "fahrenheit"}.get(match[2] or "", "")
    unit = "degree" if match[1] == "1" else "degrees"
    return f"{match[1]} {unit} {scale} "


def _number(match: re.Match[str]) -> str:
    lone_decimals, whole, decimals = match.groups()
    if lone_decimals:
        return f" point {digits(lone_decimals)} "
    parts = decimals.split(".")[1:]
    if len(parts) == 1:
        return f" {_integer(whole)} point {digits(parts[0])} "
    return f" {' point '.join([_integer(whole), *(_integer(part) for part in parts)])} "


# Characters, at least one of which the pattern needs to match; pattern; spoken form.
RULES: list[tuple[str, re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    ("-", CODE, _code),
    ("-–", RANGE, _range),
    ("$£€¥₹", SIGN_BEHIND_CURRENCY, r"\2\1"),
    ("$£€¥₹¢", MONEY, spell_money),
    ("+-±", SIGN, lambda match: f" {SIGNS[match[1].strip()]} "),
    (":m", TIME, _time),
    (":", RATIO, " to "),
    ("/⁄", FRACTION, _fraction),
    ("°", DEGREES, _degrees),
    ("s", PLURAL, _plural),
    ("thd", ORDINAL, lambda match: f" {_integer(match[1], ordinal)} "),
    ("'", SHORT_YEAR, _short_year),
    ("+=×÷−x", BETWEEN, lambda match: f" {OPERATORS[match[1]]} "),
    ("−", MINUS, " minus "),
    ("+", TRAILING_PLUS, " plus "),
    ("#.", NUMBER_SIGN, " number "),
    ("12", YEAR, lambda match: f" {year(int(match[1]))} "),
    ("", NUMBER, _number),
]
