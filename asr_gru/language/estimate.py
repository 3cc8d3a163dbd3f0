"""Estimates a language model: vocabulary, counts, smoothing, interpolation, pruning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from asr_gru.errors import ConfigError
from asr_gru.language.backoff import (
    BackoffModel,
    Doubles,
    Margins,
    key_bits,
    normalise,
    to_ngrams,
)
from asr_gru.language.corpus import BOS_ID, EOS_ID, MARKS, Corpus, Stream
from asr_gru.language.interpolation import interpolate, word_probs
from asr_gru.language.kneser_ney import kneser_ney
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.ngram import LanguageModel
from asr_gru.language.ngrams import MAX_ORDER, NGrams
from asr_gru.language.packing import packed_bytes
from asr_gru.language.pruning import limit_endings, prune

__all__ = ["EstimateConfig", "EstimatedModel", "bytes_for_ngrams", "estimate", "prune_to_size"]

FIXED_BYTES = 300
BYTES_PER_ORDER = 2700
"""Bytes of a packed file for its header, and for grids and padding of each order."""
SMALLEST_NGRAM = 3
CANDIDATES = 6
"""N-grams of the highest order kept for pruning, as a multiple of what the size allows."""


@dataclass(frozen=True, slots=True)
class EstimateConfig:
    """Parameters of the estimation.

    Attributes:
        order: order of the model, 1 to 5.
        vocabulary: maximum number of words.
        size: size of the packed file in bytes; ``None`` disables pruning.
        allowed_words: words that may enter the vocabulary; all if empty.
    """

    order: int = 3
    vocabulary: int = 65_000
    size: int | None = None
    allowed_words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.order <= MAX_ORDER:
            raise ConfigError(f"order {self.order}; use 1 to {MAX_ORDER}")
        if self.vocabulary < 1:
            raise ConfigError(f"vocabulary {self.vocabulary}; use at least 1 word")


@dataclass(frozen=True, slots=True)
class EstimatedModel:
    """A language model and statistics of its estimation.

    Attributes:
        ngrams: the model.
        words: number of words of each text, including sentence ends.
        weights: mixture weight of each text.
        candidates: number of n-grams of each order before pruning.
    """

    ngrams: NGrams
    words: tuple[int, ...]
    weights: tuple[float, ...]
    candidates: tuple[int, ...]


def estimate(
    texts: Sequence[tuple[str, Iterable[str]]],
    config: EstimateConfig,
    development: Sequence[Sequence[str]] = (),
    *,
    on_progress: Callable[[str], None] = lambda _: None,
) -> EstimatedModel:
    """Estimate a back-off model.

    Smoothing is interpolated modified Kneser-Ney (Chen and Goodman 1999). With development texts,
    each text gets a model of its own, and these are interpolated with the weights that maximise
    the likelihood of the development texts. Without, the texts are concatenated.

    Args:
        texts: name of each text, and its blocks of whole lines, with one sentence per line.
        config: order, vocabulary and size.
        development: development texts, as blocks; each has the same weight.
        on_progress: called with a line of text after each step.

    Raises:
        DataError: a text cannot be read or has no words, or the development texts have none of
            the words of the others.
        ConfigError: the order is too high for the vocabulary, or the size too small for its words.
    """
    corpus = Corpus()
    for name, blocks in texts:
        corpus.add(blocks, name)
        on_progress(f"{name}: {np.count_nonzero(corpus.texts[-1] > EOS_ID)} words")
    vocabulary = corpus.choose(config.vocabulary, development, config.allowed_words)
    on_progress(f"vocabulary: {len(vocabulary) - len(MARKS)} words")
    bits = key_bits(len(vocabulary), config.order)
    max_candidates = np.inf
    if config.size is not None:
        left = bytes_for_ngrams(config.size, config.order, vocabulary)
        max_candidates = CANDIDATES * left / SMALLEST_NGRAM
    streams = corpus.texts
    if not development:
        streams = [np.concatenate(streams)]
    words = tuple(int(np.count_nonzero(stream != BOS_ID)) for stream in streams)
    estimates = []
    while streams:
        estimates.append(kneser_ney(streams.pop(0), len(vocabulary), config.order, bits))
        on_progress(f"estimated {len(estimates)} of {len(words)}")
    held_out = [_stream(blocks, vocabulary) for blocks in development]
    weights = mixture_weights(
        [np.stack([word_probs(one.model, stream) for one in estimates]) for stream in held_out]
    )
    model, contexts = interpolate(estimates, weights, max_candidates)
    del estimates
    if config.size is not None:
        model, contexts = limit_endings(model, contexts)
    margins = normalise(model)
    candidates = (len(vocabulary), *map(len, model.keys))
    on_progress(f"interpolated: {' + '.join(map(str, candidates))} n-grams")
    if config.size is None:
        ngrams = to_ngrams(model, vocabulary)
    else:
        ngrams = prune_to_size(model, margins, contexts, vocabulary, config.size)
    return EstimatedModel(ngrams, words, tuple(weights.tolist()), candidates)


def prune_to_size(
    model: BackoffModel,
    margins: Sequence[Margins],
    contexts: Sequence[Doubles],
    vocabulary: tuple[str, ...],
    size: int,
) -> NGrams:
    """Return the n-grams of a model, pruned until its packed file has at most ``size`` bytes.

    Pruning estimates the bytes. Where neighbours in the vocabulary begin more than 65,536 n-grams,
    their offsets take more, so the model is pruned again by the excess.

    Args:
        model: a normalised model.
        margins: margins of orders 2, 3, ..., from ``normalise``.
        contexts: probabilities of contexts of 1, 2, ... words.
        vocabulary: its words.
        size: maximum bytes of the file.

    Raises:
        ConfigError: the size is too small for the words alone.
    """
    left = bytes_for_ngrams(size, model.order, vocabulary)
    while True:
        ngrams = to_ngrams(prune(model, margins, contexts, left), vocabulary)
        excess = len(LanguageModel.build(ngrams).to_bytes()) - size
        if excess <= 0 or not any(ngrams.counts[1:]):
            return ngrams
        left -= excess


def bytes_for_ngrams(size: int, order: int, vocabulary: Sequence[str]) -> int:
    """Return how many of ``size`` bytes are left for n-grams after the vocabulary.

    Raises:
        ConfigError: too few for unigrams.
    """
    listed = sum(len(word.encode()) + 1 for word in vocabulary)
    left = size - listed - FIXED_BYTES - BYTES_PER_ORDER * order
    counts = (len(vocabulary), *[0] * (order - 1))
    if packed_bytes(len(vocabulary), counts) > left:
        raise ConfigError(
            f"size {size} bytes is too small for {len(vocabulary)} words alone; allow more, or "
            "use fewer words"
        )
    return left


def _stream(blocks: Iterable[str], vocabulary: Sequence[str]) -> Stream:
    corpus = Corpus()
    corpus.add(blocks, "development text")
    corpus.choose(len(vocabulary), allowed_words=vocabulary[len(MARKS) :])
    # The words and their order are the same, so the ids are those of the vocabulary.
    return corpus.texts[0]
