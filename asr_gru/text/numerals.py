"""English numbers in words: 1204 is one thousand two hundred and four."""

from __future__ import annotations

__all__ = ["LARGEST", "cardinal", "digits", "fraction", "ordinal", "plural", "year"]

SMALL = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = (
    (10**15, "quadrillion"),
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
    (10**3, "thousand"),
)
LARGEST = 10**18 - 1
IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int) -> str:
    """Spell ``number``, 0 to ``LARGEST``, in British style: one hundred and one."""
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
    """Spell the ordinal of ``number``: twenty first."""
    *before, last = cardinal(number).split()
    if last in IRREGULAR_ORDINALS:
        last = IRREGULAR_ORDINALS[last]
    else:
        last = (last[:-1] + "ie" if last.endswith("y") else last) + "th"
    return " ".join([*before, last])


def year(number: int) -> str:
    """Spell a year as two numbers: nineteen oh five, nineteen eighty four."""
    century, rest = divmod(number, 100)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {f'oh {SMALL[rest]}' if rest < 10 else cardinal(rest)}"


def digits(text: str) -> str:
    """Spell the ASCII digits of ``text`` one by one."""
    return " ".join(SMALL[int(character)] for character in text if character in "0123456789")


def plural(words: str) -> str:
    """Return the plural of a spelled number: nineties, sixes, thousands."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")


def fraction(numerator: int, denominator: int) -> str:
    """Spell a simple fraction: one half, three quarters, two thirds."""
    names = {2: "half", 4: "quarter"}
    part = names.get(denominator) or ordinal(denominator)
    if numerator != 1:
        part = "halves" if denominator == 2 else plural(part)
    return f"{cardinal(numerator)} {part}"
