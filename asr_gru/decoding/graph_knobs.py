"""What can be tuned in a search of a closed graph."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from asr_gru.errors import ConfigError

__all__ = ["GraphKnobs"]

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
class GraphKnobs:
    """What can be tuned; a value outside its range is refused.

    Attributes:
        rejection: what each phone costs the loop of all phones that stands for other speech, in
            nats, 0 to 20. It is the shortfall that a phrase may have for each phone: 0 accepts
            nothing but the likeliest phones of all, more accepts more.
        stray: what a frame costs in which another phone than the phrase's is heard before it,
            after it, or between two of its words, in nats, 0 to 10,000.
        blank_bias: taken off the blank's log-probability in every frame, in nats, -10 to 10.
        phone_floor: no phone counts as less probable than this, 0 to 0.5; so a single phone that
            was said otherwise does not rule out a phrase.
        beam: tokens this much worse than the best are dropped, in nats, 1 to 10,000.
        width: tokens kept from frame to frame, 1 to 1,000,000.
        blank_skip: a frame whose blank is likelier than this counts as blank for certain, which
            costs next to nothing, 0.5 to 1; 1 searches every frame.
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
