"""Parameters of the graph search."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from asr_gru.errors import ConfigError

__all__ = ["GraphSearchParameters"]

RANGES = {
    "rejection": (0.0, 20.0),
    "stray": (0.0, 1e4),
    "blank_bias": (-10.0, 10.0),
    "phone_floor": (0.0, 0.5),
    "beam": (1.0, 1e4),
    "width": (1, 1_000_000),
    "blank_skip": (0.5, 1.0),
}


@dataclass(frozen=True, slots=True)
class GraphSearchParameters:
    """Parameters of the graph search.

    Attributes:
        rejection: cost per phone of the phone loop that models other speech, in nats, 0 to 20.
            A phrase is rejected if it scores worse than the loop by more than this per phone: 0
            accepts only the most probable phone sequence, higher values accept more.
        stray: cost of a frame with a phone that is not part of the phrase, before or after it or
            between two of its words, in nats, 0 to 10,000.
        blank_bias: subtracted from the blank's log-probability in each frame, in nats, -10 to 10.
        phone_floor: lower bound of the probability of a phone, 0 to 0.5, so that a single
            mispronounced phone does not rule out a phrase.
        beam: tokens worse than the best by more than this are pruned, in nats, 1 to 10,000.
        width: maximum number of tokens kept per frame, 1 to 1,000,000.
        blank_skip: frames with a higher blank probability are treated as blank without a search,
            0.5 to 1; 1 searches every frame.

    Raises:
        ConfigError: a value is out of range.
    """

    rejection: float = 3.0
    stray: float = 6.0
    blank_bias: float = 1.5
    phone_floor: float = 1e-4
    beam: float = 20.0
    width: int = 2000
    blank_skip: float = 0.98

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), RANGES[field.name]
            if not (low <= value <= high and math.isfinite(value)):
                raise ConfigError(f"{field.name} {value}: give {low:g} to {high:g}")
