"""How certain a word is.

A token's probability is the model's own, at the surest frame of its run. Networks are surer of
themselves than they should be, so the odds of each probability are raised to the power
``1 / temperature``: temperature scaling (Guo, Pleiss, Sun, Weinberger 2017) of "this token"
against "anything else", with the temperature that was fitted when the model was exported. A word
is as certain as its least certain token.

Where a model has weights for it, the confidence of a word from the tree search is a logistic
regression on several features instead (``WORD_FEATURES``), fitted on recordings with known texts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.decoding.protocol import Hypothesis, WordScore

__all__ = ["WORD_FEATURES", "ConfidenceWeights", "word_confidence", "word_features"]

WORD_FEATURES = ("bias", "weakest", "mean", "acoustic", "language", "duration", "tokens")
LARGEST_LOGIT = 12.0


@dataclass(frozen=True, slots=True)
class ConfidenceWeights:
    """Weights of a logistic regression for the probability that a word is right.

    Attributes:
        bias: constant.
        weakest: of the logit of the probability of the least certain token.
        mean: of the mean log-probability of the tokens, in nats.
        acoustic: of the log-probability of the word's frames for each token, in nats.
        language: of the log-probability of the word after those before it, in nats.
        duration: of the logarithm of the frames from first to last token, for each token.
        tokens: of the logarithm of the number of tokens.
    """

    bias: float = 0.0
    weakest: float = 1.0
    mean: float = 0.0
    acoustic: float = 0.0
    language: float = 0.0
    duration: float = 0.0
    tokens: float = 0.0

    def confidence(self, hypothesis: Hypothesis, word: WordScore) -> float:
        """Return the confidence of a word of a hypothesis, between 0 and 1."""
        features = word_features(hypothesis, word)
        values = (getattr(self, name) for name in WORD_FEATURES)
        score = sum(weight * value for weight, value in zip(values, features, strict=True))
        return 1.0 / (1.0 + math.exp(-max(-LARGEST_LOGIT, min(score, LARGEST_LOGIT))))


def word_features(hypothesis: Hypothesis, word: WordScore) -> tuple[float, ...]:
    """Return the features of a word, in the order of ``WORD_FEATURES``, each of limited size."""
    log_probs = hypothesis.token_log_probs[word.start : word.stop]
    count = len(log_probs)
    weakest = min(min(log_probs), -1e-9)
    logit = weakest - math.log(-math.expm1(weakest))
    frames = hypothesis.frames[word.stop - 1] - hypothesis.frames[word.start] + 1
    return (
        1.0,
        max(-LARGEST_LOGIT, min(logit, LARGEST_LOGIT)),
        max(sum(log_probs) / count, -LARGEST_LOGIT),
        max(min(word.acoustic / count, 0.0), -LARGEST_LOGIT),
        max(word.language, -20.0),
        math.log(max(frames, 1) / count),
        math.log(count),
    )


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
