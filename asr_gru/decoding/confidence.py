"""How certain a word is.

A token's probability is the model's own, at the surest frame of its run. Networks are surer of
themselves than they should be, so the odds of each probability are raised to the power
``1 / temperature``: temperature scaling (Guo, Pleiss, Sun, Weinberger 2017) of "this token"
against "anything else", with the temperature that was fitted when the model was exported. A word
is as certain as its least certain token.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["word_confidence"]


def word_confidence(token_log_probs: Sequence[float], temperature: float = 1.0) -> float:
    """Return the confidence of a word, between 0 and 1.

    Args:
        token_log_probs: natural log-probabilities of the word's tokens, at least one.
        temperature: above 1 draws confidences towards one half, 1 leaves the model's own.
    """
    log_prob = min(token_log_probs)
    if log_prob >= 0.0:
        return 1.0
    log_other = math.log(-math.expm1(log_prob))
    return 1.0 / (1.0 + math.exp(min((log_other - log_prob) / temperature, 700.0)))
