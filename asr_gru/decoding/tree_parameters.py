"""Parameters of the tree search."""

from __future__ import annotations

from dataclasses import dataclass, fields

from asr_gru.errors import ConfigError
from asr_gru.model.search_parameters import PARAMETERS

__all__ = ["TreeSearchParameters"]


@dataclass(frozen=True, slots=True)
class TreeSearchParameters:
    """Parameters of the tree search.

    Attributes:
        language_weight: factor of the language model's log-probabilities, 0 to 10.
        word_bonus: added for each word, in nats, -20 to 20.
        blank_bias: subtracted from the blank's log-probability in each frame, in nats, -10 to 10.
        beam: hypotheses worse than the best by more than this are pruned, in nats, 1 to 10,000.
        width: maximum number of hypotheses kept per frame, 1 to 1,000,000.
        blank_skip: frames with a higher blank probability are treated as blank without a search,
            0.5 to 1; 1 searches every frame.
        phone_floor: a phone cannot begin in a frame in which its probability is lower, 0 to 0.5.
        histories: word sequences kept for each search state; with ``n`` of them the ``n``-best
            list is exact (Schwartz and Chow 1990), 1 to 1000.
        shown_share: a word of an unfinished sentence is shown once hypotheses with this share of
            the total probability contain it, 0 to 1; 0 shows the most probable hypothesis.

    Raises:
        ConfigError: a value is out of range.
    """

    language_weight: float = PARAMETERS["language_weight"].default
    word_bonus: float = PARAMETERS["word_bonus"].default
    blank_bias: float = PARAMETERS["blank_bias"].default
    beam: float = PARAMETERS["beam"].default
    width: int = int(PARAMETERS["width"].default)
    blank_skip: float = PARAMETERS["blank_skip"].default
    phone_floor: float = PARAMETERS["phone_floor"].default
    histories: int = int(PARAMETERS["histories"].default)
    shown_share: float = PARAMETERS["shown_share"].default

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (_, low, high) = getattr(self, field.name), PARAMETERS[field.name]
            if not low <= value <= high:
                raise ConfigError(f"{field.name} {value}: give {low:g} to {high:g}")
