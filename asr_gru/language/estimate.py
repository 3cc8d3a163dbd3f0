"""A language model of texts: vocabulary, counts, smoothing, interpolation, pruning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from asr_gru.errors import ConfigError
from asr_gru.language.backoff import key_bits, normalise, to_ngrams
from asr_gru.language.corpus import BOS_ID, EOS_ID, MARKS, Corpus, Stream
from asr_gru.language.interpolation import interpolate, word_probs
from asr_gru.language.kneser_ney import kneser_ney
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.ngrams import MAX_ORDER, NGrams
from asr_gru.language.packing import packed_bytes
from asr_gru.language.pruning import prune

__all__ = ["EstimateConfig", "EstimatedModel", "bytes_for_ngrams", "estimate"]

FIXED_BYTES = 300
BYTES_PER_ORDER = 2700
"""Of a packed file: header, and grids and padding of each order."""
SMALLEST_NGRAM = 3
CANDIDATES = 6
"""N-grams of the highest order that pruning may choose from, for each that the size allows."""


@dataclass(frozen=True, slots=True)
class EstimateConfig:
    """Parameters of the estimation.

    Attributes:
        order: words of the longest n-grams, 1 to 5.
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
        words: of each text, sentence ends included.
        weights: of each text in the mixture; one text alone has weight 1.
        candidates: n-grams of each order before pruning.
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

    With development texts each text becomes a model of interpolated modified Kneser-Ney
    smoothing (Chen and Goodman 1999), and these are mixed with the weights that make the
    development texts likeliest. Without, the texts are taken as one.

    Args:
        texts: name, and blocks of whole lines: one sentence a line, words between white space.
        config: order, vocabulary, size.
        development: further texts in blocks; each counts the same.
        on_progress: called with a line of text after each step.

    Raises:
        DataError: a text without words, or that cannot be read.
        ConfigError: an order that does not fit the vocabulary, a size below that of the words.
    """
    corpus = Corpus()
    for name, blocks in texts:
        corpus.add(blocks, name)
        on_progress(f"{name}: {np.count_nonzero(corpus.texts[-1] > EOS_ID)} words")
    vocabulary = corpus.choose(config.vocabulary, development, config.allowed_words)
    on_progress(f"vocabulary: {len(vocabulary) - len(MARKS)} words")
    bits = key_bits(len(vocabulary), config.order)
    size = None
    if config.size is not None:
        size = bytes_for_ngrams(config.size, config.order, vocabulary)
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
    max_candidates = np.inf if size is None else CANDIDATES * size / SMALLEST_NGRAM
    model, contexts = interpolate(estimates, weights, max_candidates)
    del estimates
    margins = normalise(model)
    candidates = (len(vocabulary), *map(len, model.keys))
    on_progress(f"interpolated: {' + '.join(map(str, candidates))} n-grams")
    if size is not None:
        model = prune(model, margins, contexts, size)
    return EstimatedModel(to_ngrams(model, vocabulary), words, tuple(weights.tolist()), candidates)


def bytes_for_ngrams(size: int, order: int, vocabulary: Sequence[str]) -> int:
    """Return the bytes that a file of ``size`` leaves for n-grams beside its vocabulary.

    Raises:
        ConfigError: too few for the words alone.
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
    # The same words in the same order: the ids are those of the vocabulary.
    return corpus.texts[0]
