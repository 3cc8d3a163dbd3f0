"""Adapts a language model to a text by interpolation, and adds words to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asr_gru.language.backoff import Doubles, normalise, to_ngrams
from asr_gru.language.corpus import BOS_ID, EOS_ID, UNK_ID, Stream
from asr_gru.language.encoded_text import EncodedText
from asr_gru.language.estimate import bytes_for_ngrams, prune_to_size
from asr_gru.language.interpolation import interpolate, word_probs
from asr_gru.language.kneser_ney import Estimate, kneser_ney
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.ngrams import NGrams
from asr_gru.language.pruning import limit_endings

__all__ = ["AdaptedNGrams", "PerplexityChange", "adapt_ngrams"]

FOLDS = 10
LARGE = 200_000
"""Words; of larger texts a single fold is held out, for speed."""
MAX_WEIGHT = 0.9
"""Maximum weight chosen for the text, so that other speech is still recognised."""
DEFAULT_WEIGHT = 0.1
"""Weight of a text of one sentence, which cannot be cross-validated."""


@dataclass(frozen=True, slots=True)
class PerplexityChange:
    """Perplexity of a text before and after adaptation.

    Attributes:
        before: perplexity of the words in the old vocabulary and of the sentence ends.
        after: perplexity of the same words with the new model.
        unknown_before: words outside the old vocabulary, in percent.
        unknown_after: words outside the new vocabulary, in percent.
        words: number of words of the text.
    """

    before: float
    after: float
    unknown_before: float
    unknown_after: float
    words: int


@dataclass(frozen=True, slots=True)
class AdaptedNGrams:
    """An adapted model and statistics of the adaptation.

    Attributes:
        ngrams: the adapted model.
        weight: weight of the text in the mixture; 0 without a text.
        held_out: change of perplexity in cross-validation; None if there was none.
        development: change of perplexity of the development text.
    """

    ngrams: NGrams
    weight: float
    held_out: PerplexityChange | None
    development: PerplexityChange | None


def adapt_ngrams(
    vocabulary: tuple[str, ...],
    background: Estimate,
    known: int,
    text: EncodedText | None,
    *,
    development: EncodedText | None = None,
    weight: float | None = None,
    size: int | None = None,
) -> AdaptedNGrams:
    """Interpolate a model with a model of a text.

    The model of the text has interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999).
    Its weight is found by EM (Jelinek and Mercer 1980) on the development text, or by
    cross-validation within the text if there is none.

    Args:
        vocabulary: vocabulary from ``background_estimate``.
        background: estimate from ``background_estimate``.
        known: number of words, including marks, in the vocabulary of the original model.
        text: text to adapt to; None only adds words.
        development: text on which the weight is chosen.
        weight: fixed weight of the text, 0 to 1.
        size: maximum bytes of the packed file, including the vocabulary; None disables pruning.

    Raises:
        ConfigError: the size is too small for the words alone.
    """
    order, bits = background.model.order, background.model.bits
    if size is not None:
        bytes_for_ngrams(size, order, vocabulary)  # refuse it before the estimation
    model, contexts = background.model, [counts for _, counts in background.contexts]
    held_out = developed = None
    if text is None:
        weight = 0.0
    else:
        tested, old, own = _held_out(background, len(vocabulary), text.stream)
        whole = kneser_ney(text.stream, len(vocabulary), order, bits)
        pair = np.zeros((2, 0))
        if development is not None:
            pair = _both(whole, background, development.stream)
        if weight is None:
            found = pair if development is not None else np.stack([own, old])
            weight = DEFAULT_WEIGHT
            if found.shape[1]:
                weight = min(MAX_WEIGHT, float(mixture_weights([found])[0]))
        if len(tested):
            held_out = _change(tested, weight * own + (1 - weight) * old, old, known)
        if development is not None:
            mixed = weight * pair[0] + (1 - weight) * pair[1]
            developed = _change(development.stream, mixed, pair[1], known)
        model, contexts = interpolate(
            [whole, background], np.array([weight, 1 - weight]), float("inf")
        )
    ngrams = None
    if text is not None or size is not None:
        model, contexts = limit_endings(model, contexts)
        margins = normalise(model)
        if size is not None:
            ngrams = prune_to_size(model, margins, contexts, vocabulary, size)
    if ngrams is None:
        ngrams = to_ngrams(model, vocabulary)
    return AdaptedNGrams(ngrams, weight, held_out, developed)


def _both(text: Estimate, background: Estimate, stream: Stream) -> Doubles:
    """Return the probabilities of the known words in two models, ``(2, words)``."""
    return np.stack([word_probs(text.model, stream), word_probs(background.model, stream)])


def _held_out(
    background: Estimate, vocabulary: int, stream: Stream
) -> tuple[Stream, Doubles, Doubles]:
    """Cross-validate a text.

    Returns:
        The sentences, and the probabilities of their known words in the background model and in
        models of the other sentences; empty for a text of one sentence.
    """
    order, bits = background.model.order, background.model.bits
    sentence = np.cumsum(stream == BOS_ID) - 1
    folds = min(FOLDS, int(sentence[-1]) + 1)
    if folds < 2:
        return stream[:0], np.zeros(0), np.zeros(0)
    tested, old, own = [], [], []
    for fold in range(1 if len(stream) > LARGE else folds):
        is_test = sentence % folds == fold
        train = kneser_ney(stream[~is_test], vocabulary, order, bits)
        new_probs, old_probs = _both(train, background, stream[is_test])
        tested.append(stream[is_test])
        own.append(new_probs)
        old.append(old_probs)
    return np.concatenate(tested), np.concatenate(old), np.concatenate(own)


def _change(stream: Stream, after: Doubles, before: Doubles, known: int) -> PerplexityChange:
    counted = stream[(stream != BOS_ID) & (stream != UNK_ID)]
    both = counted < known
    words = stream[(stream != BOS_ID) & (stream != EOS_ID)]
    return PerplexityChange(
        float(np.exp(-np.log(before[both]).mean())),
        float(np.exp(-np.log(after[both]).mean())),
        100.0 * float(np.mean((words == UNK_ID) | (words >= known))),
        100.0 * float(np.mean(words == UNK_ID)),
        len(words),
    )
