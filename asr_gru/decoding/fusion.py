"""Shallow fusion of a language model over tokens into the prefix beam search."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from asr_gru.errors import ConfigError

__all__ = ["Fusion", "TokenModel"]

L = TypeVar("L")


class TokenModel(Protocol[L]):
    """A language model over tokens.

    States are immutable values, as a search keeps many of them.
    """

    @abstractmethod
    def start(self) -> L:
        """Return the state before the first token."""
        ...

    @abstractmethod
    def score(self, state: L, token: int) -> tuple[float, L]:
        """Return the natural log-probability of ``token`` after ``state``, and the next state."""
        ...

    @abstractmethod
    def end(self, state: L) -> float:
        """Return the natural log-probability that the sentence ends after ``state``."""
        ...


@dataclass(frozen=True, slots=True)
class Fusion(Generic[L]):
    """Shallow fusion (Gülçehre et al. 2015): each token adds to the score of its prefix.

    Attributes:
        model: the language model.
        weight: factor of its log-probabilities, 0 to 10.
        token_bonus: added for each token, in nats, -20 to 20; compensates for the preference of a
            language model for short texts.
    """

    model: TokenModel[L]
    weight: float = 0.5
    token_bonus: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight <= 10.0:
            raise ConfigError(f"weight {self.weight}: give 0 to 10")
        if not -20.0 <= self.token_bonus <= 20.0:
            raise ConfigError(f"token_bonus {self.token_bonus}: give -20 to 20")

    def score(self, state: L, token: int) -> tuple[float, L]:
        """Return the score of ``token`` after ``state``, in nats, and the next state."""
        log_prob, state = self.model.score(state, token)
        return self.weight * log_prob + self.token_bonus, state

    def end(self, state: L) -> float:
        """Return the score of the sentence end after ``state``, in nats."""
        return self.weight * self.model.end(state)
