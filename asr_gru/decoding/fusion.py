"""How a language model takes part in the beam search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Fusion", "LanguageModel"]


class LanguageModel(Protocol):
    """How likely a token is after those before it.

    States are plain values that are never altered: a search keeps many of them at a time.
    """

    def start(self) -> Any:
        """Return the state before the first token."""
        ...

    def score(self, state: Any, token: int) -> tuple[float, Any]:
        """Return the natural log-probability of ``token`` after ``state``, and the next state."""
        ...


@dataclass(frozen=True, slots=True)
class Fusion:
    """Shallow fusion (Gülçehre et al. 2015): each token adds to the score of its prefix.

    Attributes:
        model: the language model.
        weight: factor of its log-probabilities.
        token_bonus: added for each token, in nats; makes up for the taste for short texts that a
            language model brings.
    """

    model: LanguageModel
    weight: float = 0.5
    token_bonus: float = 0.0

    def score(self, state: Any, token: int) -> tuple[float, Any]:
        """Return what ``token`` adds after ``state``, in nats, and the next state."""
        log_prob, state = self.model.score(state, token)
        return self.weight * log_prob + self.token_bonus, state
