"""Calibrates word confidences by logistic regression on transcribed recordings.

A word is correct if it matches in the alignment with the reference. The regression is fitted by
Newton's method with a small L2 penalty; all lists have equal weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.confidence import WORD_FEATURES, word_features
from asr_gru.errors import DataError
from asr_gru.model.config import ConfidenceWeights
from asr_gru.scoring import align

if TYPE_CHECKING:
    from asr_gru.decoding import TreeSearch
    from asr_gru.tuning import EncodedUtterance

__all__ = [
    "RecognizedWords",
    "calibration_error",
    "confidences",
    "cross_entropy",
    "cross_validated",
    "fit_confidence",
    "recognized_words",
]

Floats = npt.NDArray[np.float64]
PENALTY = 1.0
FOLDS = 5
BINS = 10


@dataclass(frozen=True, slots=True)
class RecognizedWords:
    """The recognised words of a list.

    Attributes:
        features: ``(words, features)``, see ``decoding.confidence.WORD_FEATURES``.
        right: ``(words,)`` whether each is correct.
        speakers: ``(words,)`` speaker index of each.
    """

    features: Floats
    right: npt.NDArray[np.bool_]
    speakers: npt.NDArray[np.int64]


def recognized_words(
    decoder: TreeSearch,
    utterances: Sequence[EncodedUtterance],
    speakers: Sequence[str],
    numbers: dict[str, int] | None = None,
) -> RecognizedWords:
    """Decode utterances and mark which words are correct.

    Args:
        decoder: the word search.
        utterances: utterances.
        speakers: speaker of each utterance; each unnamed one counts as a separate speaker.
        numbers: indices of the speakers so far, which is extended; share it between lists, so that
            a speaker has the same index in all of them.
    """
    numbers = {} if numbers is None else numbers
    features: list[tuple[float, ...]] = []
    right: list[bool] = []
    owners: list[int] = []
    for one, speaker in zip(utterances, speakers, strict=True):
        (state,) = decoder.advance([decoder.start()], [one.log_probs])
        best = decoder.best(decoder.finish(state))[0]
        words = best.words or ()
        pairs = align(one.text.split(), [word.text for word in words])
        features += [word_features(best, index) for index in range(len(words))]
        right += [said == word for said, word in pairs if word is not None]
        number = numbers.setdefault(speaker or f"\0{len(numbers)}", len(numbers))
        owners += [number] * len(words)
    return RecognizedWords(
        np.array(features, np.float64).reshape(-1, len(WORD_FEATURES)),
        np.array(right, bool),
        np.array(owners, np.int64),
    )


def fit_confidence(lists: Sequence[RecognizedWords]) -> ConfidenceWeights:
    """Fit the weights on lists of equal weight.

    Raises:
        DataError: all words are correct, none is, or there are none.
    """
    features = np.concatenate([one.features for one in lists])
    right = np.concatenate([one.right for one in lists])
    if not 0 < right.sum() < len(right):
        raise DataError(
            f"{int(right.sum())} of {len(right)} words are right; confidences need lists with "
            "right and wrong words"
        )
    counts = np.concatenate([np.full(len(one.right), max(1, len(one.right))) for one in lists])
    importance = len(right) / (len(lists) * counts)
    penalty = np.full(features.shape[1], PENALTY)
    penalty[0] = 1e-6
    weights = np.zeros(features.shape[1])
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-np.clip(features @ weights, -30, 30)))
        slope = features.T @ (importance * (right - probability)) - penalty * weights
        curvature = (features * (importance * probability * (1 - probability))[:, None]).T
        step = np.linalg.solve(curvature @ features + np.diag(penalty), slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return ConfidenceWeights(
        **{name: round(float(one), 4) for name, one in zip(WORD_FEATURES, weights, strict=True)}
    )


def confidences(weights: ConfidenceWeights, words: RecognizedWords) -> Floats:
    """Return the confidence of each word, ``(words,)``."""
    values = np.array([getattr(weights, name) for name in WORD_FEATURES])
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(words.features @ values, -12, 12)))
    return result


def cross_validated(lists: Mapping[str, RecognizedWords]) -> dict[str, Floats]:
    """Return confidences of each list's words, each from weights fitted on other speakers.

    Raises:
        DataError: there is one speaker only, or as ``fit_confidence``.
    """
    results = {name: np.zeros(len(one.right)) for name, one in lists.items()}
    for fold in range(FOLDS):
        kept = [_where(one, one.speakers % FOLDS != fold) for one in lists.values()]
        if not any(len(one.right) for one in kept):
            raise DataError(
                "all recognised words are of one speaker; give lists of several, named in the "
                "column speaker"
            )
        weights = fit_confidence(kept)
        for name, one in lists.items():
            held_out = one.speakers % FOLDS == fold
            results[name][held_out] = confidences(weights, _where(one, held_out))
    return results


def _where(words: RecognizedWords, chosen: npt.NDArray[np.bool_]) -> RecognizedWords:
    return RecognizedWords(words.features[chosen], words.right[chosen], words.speakers[chosen])


def calibration_error(confidence: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    error = 0.0
    for number in range(BINS):
        inside = bins == number
        if inside.any():
            error += abs(confidence[inside].mean() - right[inside].mean()) * inside.mean()
    return float(error)


def cross_entropy(confidence: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the mean negative log-likelihood of what was right, in nats per word."""
    return float(-np.log(np.where(right, confidence, 1.0 - confidence)).mean())
