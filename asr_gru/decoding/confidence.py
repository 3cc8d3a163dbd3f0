"""Confidences of words.

The probability of a token is its highest probability in the frames of its run. Networks are
overconfident, so the odds of each probability are raised to the power ``1 / temperature``:
temperature scaling (Guo, Pleiss, Sun, Weinberger 2017) of "this token" against "any other", with
the temperature that was fitted at export. The confidence of a word is that of its least certain
token.

If a model has ``ConfidenceWeights``, the confidence of a word of the tree search is a logistic
regression on several features instead (``WORD_FEATURES``), fitted on transcribed recordings.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.decoding.protocol import Hypothesis, WordScore
    from asr_gru.model.config import ConfidenceWeights

__all__ = [
    "WORD_FEATURES",
    "weighted_confidence",
    "word_confidence",
    "word_features",
]

WORD_FEATURES = (
    "bias",
    "weakest",
    "mean",
    "acoustic",
    "language",
    "duration",
    "tokens",
    "posterior",
    "posterior_before",
    "posterior_after",
    "language_before",
    "language_after",
)
MAX_LOGIT = 12.0
MAX_POSTERIOR_LOGIT = 6.0


def weighted_confidence(weights: ConfidenceWeights, hypothesis: Hypothesis, index: int) -> float:
    """Return the confidence of a word of a hypothesis, between 0 and 1."""
    features = word_features(hypothesis, index)
    values = (getattr(weights, name) for name in WORD_FEATURES)
    score = sum(weight * value for weight, value in zip(values, features, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-MAX_LOGIT, min(score, MAX_LOGIT))))


def word_features(hypothesis: Hypothesis, index: int) -> tuple[float, ...]:
    """Return the features of a word, in the order of ``WORD_FEATURES``, each clipped.

    A word without a neighbour takes the place of it. The posterior is that of the frame that
    completed the word (Wessel, Schlueter, Macherey, Ney, "Confidence measures for large vocabulary
    continuous speech recognition", 2001, from a beam in place of a word graph): later ones would
    count only hypotheses that have survived, which mostly agree.

    Args:
        hypothesis: from a word search.
        index: index of the word in the hypothesis.
    """
    assert hypothesis.words is not None
    word = hypothesis.words[index]
    before = hypothesis.words[max(index - 1, 0)]
    after = hypothesis.words[min(index + 1, len(hypothesis.words) - 1)]
    log_probs = hypothesis.token_log_probs[word.start : word.stop]
    count = len(log_probs)
    frames = hypothesis.frames[word.stop - 1] - hypothesis.frames[word.start] + 1
    return (
        1.0,
        _logit(min(log_probs), MAX_LOGIT),
        max(sum(log_probs) / count, -MAX_LOGIT),
        max(min(word.acoustic / count, 0.0), -MAX_LOGIT),
        _language(word),
        math.log(max(frames, 1) / count),
        math.log(count),
        _logit(word.posterior, MAX_POSTERIOR_LOGIT),
        _logit(before.posterior, MAX_POSTERIOR_LOGIT),
        _logit(after.posterior, MAX_POSTERIOR_LOGIT),
        _language(before),
        _language(after),
    )


def _logit(log_prob: float, limit: float) -> float:
    """Return the logarithm of the odds of a probability, clipped."""
    log_prob = min(log_prob, -1e-9)
    return max(-limit, min(log_prob - math.log(-math.expm1(log_prob)), limit))


def _language(word: WordScore) -> float:
    return max(word.language, -20.0)


def word_confidence(token_log_probs: Sequence[float], temperature: float = 1.0) -> float:
    """Return the confidence of a word, between 0 and 1.

    Args:
        token_log_probs: natural log-probabilities of the word's tokens, at least one.
        temperature: values above 1 move confidences towards 0.5; 1 leaves them as they are.
    """
    log_prob = min(token_log_probs)
    if log_prob >= 0.0:
        return 1.0
    log_other = math.log(-math.expm1(log_prob))
    return 1.0 / (1.0 + math.exp(min((log_other - log_prob) / temperature, 700.0)))
