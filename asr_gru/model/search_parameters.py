"""Defaults and ranges of the word search's parameters, for model files and for the decoder."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PARAMETERS", "Parameter"]


class Parameter(NamedTuple):
    """Default, and lowest and highest value accepted."""

    default: float
    low: float
    high: float


PARAMETERS = {
    "language_weight": Parameter(0.9, 0.0, 10.0),
    "word_bonus": Parameter(0.0, -20.0, 20.0),
    "blank_bias": Parameter(1.5, -10.0, 10.0),
    "beam": Parameter(9.0, 1.0, 1e4),
    "width": Parameter(250, 1, 1_000_000),
    "blank_skip": Parameter(0.95, 0.5, 1.0),
    "phone_floor": Parameter(1e-3, 0.0, 0.5),
    "histories": Parameter(1, 1, 1000),
    "shown_share": Parameter(0.5, 0.0, 1.0),
}
"""By name; what each does is described at ``decoding.TreeSearchParameters``."""
