"""The language model of a word search."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.tree_state import Ints

__all__ = ["WordModel"]


class WordModel(Protocol):
    """A language model over word ids, with batched queries."""

    @property
    @abstractmethod
    def unigram_log_probs(self) -> npt.NDArray[np.float32]:
        """``(words,)`` natural log-probability of each word without context."""
        ...

    @property
    @abstractmethod
    def unk(self) -> int:
        """Id of the unknown word."""
        ...

    @abstractmethod
    def start(self) -> int:
        """Return the state before the first word."""
        ...

    @abstractmethod
    def score(self, states: Ints, words: Ints) -> tuple[npt.NDArray[np.float32], Ints]:
        """Return the natural log-probabilities ``(n,)`` of words, and the next states."""
        ...

    @abstractmethod
    def end(self, states: Ints) -> npt.NDArray[np.float32]:
        """Return the natural log-probabilities ``(n,)`` of the sentence end."""
        ...
