"""Write spoken numbers: digits, numbers, years, dates, times and amounts.

    python -m recipes.en_small.text.numbers --lines 8000 > numbers.txt

Books and encyclopaedias have sentences about numbers, but hardly any that are only a number, which
is what people dictate. Lines are written in figures and read out by the package's own normaliser.
None has more than six words, so none shares seven in a row with an evaluation text.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from asr_gru.text import normalise
from recipes.command_line import whole_number

__all__ = ["spoken_numbers"]

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
MOST_WORDS = 6
UNITS = ("percent", "dollars", "euros", "minutes", "seconds", "hours", "degrees", "miles", "metres")


def _digit(draw: random.Random) -> str:
    return draw.choice(DIGITS)


def _digits(draw: random.Random) -> str:
    zero = draw.choice(("zero", "oh"))
    spoken = [draw.choice(DIGITS) for _ in range(draw.randint(2, 8))]
    return " ".join(zero if digit == "zero" else digit for digit in spoken)


def _counting(draw: random.Random) -> str:
    first, length = draw.randint(0, 8), draw.randint(2, 8)
    return " ".join(str(number) for number in range(first, first + length))


def _small(draw: random.Random) -> str:
    return str(draw.randint(10, 100))


def _large(draw: random.Random) -> str:
    return str(draw.randint(1, 99) * draw.choice((100, 1_000, 10_000, 1_000_000)))


def _any(draw: random.Random) -> str:
    return str(draw.randint(100, 9_999))


def _ordinal(draw: random.Random) -> str:
    number = draw.randint(1, 31)
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _date(draw: random.Random) -> str:
    day, month = _ordinal(draw), draw.choice(MONTHS)
    date = draw.choice((f"{month} {day}", f"the {day} of {month}", f"{month} the {day}"))
    return f"{date} {draw.randint(1900, 2030)}" if draw.random() < 0.4 else date


def _time(draw: random.Random) -> str:
    hour, minute = draw.randint(1, 12), draw.randint(1, 59)
    return draw.choice(
        (
            f"{hour}:{minute:02}",
            f"{hour} o'clock",
            f"half past {hour}",
            f"a quarter to {hour}",
            f"{draw.randint(1, 5) * 5} past {hour}",
            f"{hour} {draw.choice(('am', 'pm'))}",
        )
    )


def _amount(draw: random.Random) -> str:
    return f"{draw.randint(1, 100)} {draw.choice(UNITS)}"


def _decimal(draw: random.Random) -> str:
    return f"{draw.randint(0, 99)}.{draw.randint(1, 99)}"


KINDS: tuple[tuple[Callable[[random.Random], str], int], ...] = (
    (_digit, 25),
    (_digits, 15),
    (_counting, 5),
    (_small, 15),
    (_large, 5),
    (_any, 5),
    (_ordinal, 5),
    (_date, 10),
    (_time, 5),
    (_amount, 5),
    (_decimal, 5),
)
"""Kinds of lines, and how often each comes in a hundred."""


def spoken_numbers(lines: int, seed: int = 1) -> list[str]:
    """Return lines of spoken numbers, in lower case."""
    draw = random.Random(seed)
    kinds, weights = zip(*KINDS, strict=True)
    spoken: list[str] = []
    while len(spoken) < lines:
        (write,) = draw.choices(kinds, weights)
        line = normalise(write(draw), "english")
        if len(line.split()) <= MOST_WORDS:
            spoken.append(line)
    return spoken


def main() -> None:
    """Print lines of spoken numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=whole_number, default=8_000, help="number of lines")
    for line in spoken_numbers(parser.parse_args().lines):
        print(line)


if __name__ == "__main__":
    main()
