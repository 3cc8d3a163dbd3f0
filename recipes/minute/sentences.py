"""Sentences for a small vocabulary: commands for a house, numbers to call, times of day."""

from __future__ import annotations

import random
from collections.abc import Callable

from asr_gru.errors import ConfigError

__all__ = ["draw_sentences"]

ROOMS = ("kitchen", "bedroom", "garden", "office", "bathroom", "garage")
THINGS = ("lamp", "heater", "radio", "fan", "alarm", "door")
COLOURS = ("red", "green", "blue", "white", "yellow")
NAMES = ("anna", "peter", "maria", "david", "susan", "martin")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TENS = ("twenty", "thirty", "forty", "fifty")
SWITCH = ("on", "off")
VERBS = ("open", "close", "start", "stop", "make", "set", "turn", "check")
MAX_TRIES = 1000


def _number(dice: random.Random) -> str:
    tens, ones = dice.choice(TENS), dice.choice(DIGITS)
    return tens if ones == "zero" else f"{tens} {ones}"


def _place(dice: random.Random) -> str:
    return f"the {dice.choice(THINGS)} in the {dice.choice(ROOMS)}"


TEMPLATES: tuple[Callable[[random.Random], str], ...] = (
    lambda dice: " ".join(dice.choices(DIGITS, k=dice.randint(4, 7))),
    lambda dice: f"{dice.choice(NAMES)} turn {dice.choice(SWITCH)} {_place(dice)}",
    lambda dice: f"{dice.choice(NAMES)} call me on {dice.choice(DAYS)} at {_number(dice)}",
    lambda dice: f"{dice.choice(DAYS)} wake {dice.choice(NAMES)} at {_number(dice)}",
    lambda dice: f"{dice.choice(COLOURS)} {dice.choice(THINGS)} in the {dice.choice(ROOMS)}",
    lambda dice: f"{dice.choice(THINGS)} {dice.choice(SWITCH)} in the {dice.choice(ROOMS)}",
    lambda dice: f"{dice.choice(ROOMS)} {dice.choice(THINGS)} {_number(dice)} percent",
    lambda dice: f"{_number(dice)} degrees in the {dice.choice(ROOMS)} on {dice.choice(DAYS)}",
    lambda dice: f"{dice.choice(VERBS)} {_place(dice)} {dice.choice(DAYS)} at {_number(dice)}",
)
"""They begin in many ways: if most sentences begin alike, CTC learns to emit the likeliest first
letters before it has heard them, and rarely unlearns it."""


def draw_sentences(count: int, dice: random.Random) -> list[str]:
    """Draw ``count`` different sentences.

    Raises:
        ConfigError: there are not that many.
    """
    drawn: dict[str, None] = {}
    tries = 0
    while len(drawn) < count:
        before = len(drawn)
        drawn[dice.choice(TEMPLATES)(dice)] = None
        tries = 0 if len(drawn) > before else tries + 1
        if tries == MAX_TRIES:
            raise ConfigError(f"{count} sentences: more than there are; ask for fewer")
    return list(drawn)
