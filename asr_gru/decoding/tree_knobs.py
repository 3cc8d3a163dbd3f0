"""What the tree search is given beside the words: a language model, and what can be tuned."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.tree_state import Ints
from asr_gru.errors import ConfigError
from asr_gru.model.search_parameters import PARAMETERS

__all__ = ["TreeSearchKnobs", "WordModel"]


class WordModel(Protocol):
    """A language model over word numbers, asked about many at a time."""

    @property
    @abstractmethod
    def unigram_log_probs(self) -> npt.NDArray[np.float32]:
        """``(words,)`` natural log-probability of each word without context."""
        ...

    @property
    @abstractmethod
    def unk(self) -> int:
        """Number of the word that stands for all unknown ones."""
        ...

    @abstractmethod
    def start(self) -> int:
        """Return the state before the first word."""
        ...

    @abstractmethod
    def score(self, states: Ints, words: Ints) -> tuple[npt.NDArray[np.float32], Ints]:
        """Return the natural log-probabilities ``(n,)`` of words, and the states after them."""
        ...

    @abstractmethod
    def end(self, states: Ints) -> npt.NDArray[np.float32]:
        """Return the natural log-probabilities ``(n,)`` of the end of the sentence."""
        ...


@dataclass(frozen=True, slots=True)
class TreeSearchKnobs:
    """What can be tuned; a value outside its range is refused.

    Attributes:
        language_weight: factor of the language model's log-probabilities, 0 to 10.
        word_bonus: added for each word, in nats, -20 to 20.
        blank_bias: taken off the blank's log-probability in every frame, in nats, -10 to 10.
        beam: hypotheses this much worse than the best are dropped, in nats, 1 to 10,000.
        width: hypotheses kept from frame to frame, 1 to 1,000,000.
        blank_skip: a frame whose blank is likelier than this counts as blank for certain, which
            costs next to nothing, 0.5 to 1; 1 searches every frame.
        phone_floor: no phone begins in a frame that gives it a smaller probability, 0 to 0.5.
        histories: word sequences kept apart at the same place of the search; with ``n`` of them
            the ``n`` best sentences are exact (Schwartz and Chow 1990), 1 to 1000.
        shown_share: a word of a sentence that is not finished is shown once it has this share of
            the probability of all hypotheses, 0 to 1; 0 shows the best as it is.
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
