"""A language model mixed with one of further texts, and with further words, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asr_gru.language.backoff import Doubles, normalise, to_ngrams
from asr_gru.language.corpus import BOS_ID, EOS_ID, UNK_ID, Stream
from asr_gru.language.encoded_text import EncodedText
from asr_gru.language.estimate import bytes_for_ngrams
from asr_gru.language.interpolation import interpolate, word_probs
from asr_gru.language.kneser_ney import Estimate, kneser_ney
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.ngrams import NGrams
from asr_gru.language.pruning import prune

__all__ = ["AdaptedNGrams", "PerplexityChange", "adapt_ngrams"]

FOLDS = 10
LARGE = 200_000
"""Words of a text from which on one fold is held out instead of each in turn."""
HIGHEST_FOUND = 0.9
"""Weight of the text that is found at most, so that other speech is still understood."""
USUAL_WEIGHT = 0.1
"""Of a text of one sentence, of which nothing can be held out."""


@dataclass(frozen=True, slots=True)
class PerplexityChange:
    """How well a text is predicted before and after.

    Attributes:
        before: perplexity of the words that the model knew already, and of the sentence ends.
        after: the same, of the same words.
        unknown_before: words outside the vocabulary, percent.
        unknown_after: the same, with the words added.
        words: of the text.
    """

    before: float
    after: float
    unknown_before: float
    unknown_after: float
    words: int


@dataclass(frozen=True, slots=True)
class AdaptedNGrams:
    """The mixture, and how it came about.

    Attributes:
        ngrams: the model.
        weight: of the text in the mixture; 0 without text.
        held_out: of sentences of the text that the estimate had not seen; None if there were none.
        development: of the development text, with the model of the whole text.
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
    """Interpolate a model with one of a text.

    The text is estimated with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999);
    the weight of the mixture is found by EM (Jelinek and Mercer 1980) on the development text, or
    else by cross-validation within the text.

    Args:
        vocabulary: from ``background_estimate``.
        background: the same.
        known: words of the vocabulary, marks included, that the model had before.
        text: what to adapt to; without, only words are added.
        development: what the weight is found on.
        weight: of the text, 0 to 1, instead.
        size: bytes of the packed file, the vocabulary included; None leaves out nothing.

    Raises:
        ConfigError: the size is too small for the words alone.
    """
    order, bits = background.model.order, background.model.bits
    left = None if size is None else bytes_for_ngrams(size, order, vocabulary)
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
            weight = USUAL_WEIGHT
            if found.shape[1]:
                weight = min(HIGHEST_FOUND, float(mixture_weights([found])[0]))
        if len(tested):
            held_out = _change(tested, weight * own + (1 - weight) * old, old, known)
        if development is not None:
            mixed = weight * pair[0] + (1 - weight) * pair[1]
            developed = _change(development.stream, mixed, pair[1], known)
        model, contexts = interpolate(
            [whole, background], np.array([weight, 1 - weight]), float("inf")
        )
    if text is not None or left is not None:
        margins = normalise(model)
        if left is not None:
            model = prune(model, margins, contexts, left)
    return AdaptedNGrams(to_ngrams(model, vocabulary), weight, held_out, developed)


def _both(text: Estimate, background: Estimate, stream: Stream) -> Doubles:
    """Return how likely each of two models takes the known words, ``(2, words)``."""
    return np.stack([word_probs(text.model, stream), word_probs(background.model, stream)])


def _held_out(
    background: Estimate, vocabulary: int, stream: Stream
) -> tuple[Stream, Doubles, Doubles]:
    """Predict sentences of a text from the others.

    Returns:
        The sentences, and the probabilities of their known words in the background and in models
        that have not seen them; empty for a text of one sentence.
    """
    order, bits = background.model.order, background.model.bits
    sentence = np.cumsum(stream == BOS_ID) - 1
    folds = min(FOLDS, int(sentence[-1]) + 1)
    if folds < 2:
        return stream[:0], np.zeros(0), np.zeros(0)
    tested, old, own = [], [], []
    for fold in range(1 if len(stream) > LARGE else folds):
        out = sentence % folds == fold
        seen = kneser_ney(stream[~out], vocabulary, order, bits)
        one, other = _both(seen, background, stream[out])
        tested.append(stream[out])
        own.append(one)
        old.append(other)
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
