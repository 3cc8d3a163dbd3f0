"""How well a language model predicts a text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from asr_gru.errors import DataError
from asr_gru.language.ngram import LanguageModel

__all__ = ["Perplexity", "perplexity"]

BATCH = 2048


@dataclass(frozen=True, slots=True)
class Perplexity:
    """The score of a text.

    Attributes:
        sentences: lines with words.
        words: words, without sentence ends.
        unknown: words outside the vocabulary; they are contexts, but their own probability does
            not count.
        log_prob: natural logarithm of the probability of all known words and sentence ends.
    """

    sentences: int
    words: int
    unknown: int
    log_prob: float

    @property
    def perplexity(self) -> float:
        """Of a known word or a sentence end."""
        return math.exp(-self.log_prob / (self.words - self.unknown + self.sentences))

    @property
    def unknown_percent(self) -> float:
        """Words outside the vocabulary, of a hundred words."""
        return 100 * self.unknown / self.words


def perplexity(model: LanguageModel, blocks: Iterable[str], name: str = "text") -> Perplexity:
    """Score a text in blocks of whole lines: one sentence a line, words between white space.

    Raises:
        DataError: without words.
    """
    sentences = words = unknown = 0
    log_prob = 0.0
    for block in blocks:
        lines = [fields for line in block.split("\n") if (fields := line.split())]
        for first in range(0, len(lines), BATCH):
            part = [model.ids(fields) for fields in lines[first : first + BATCH]]
            sentences += len(part)
            words += sum(map(len, part))
            unknown += sum(int(np.count_nonzero(ids == model.unk)) for ids in part)
            log_prob += _score(model, part)
    if not words:
        raise DataError(f"{name}: no words in it; give a text, one sentence a line")
    return Perplexity(sentences, words, unknown, log_prob)


def _score(model: LanguageModel, sentences: list[np.typing.NDArray[np.int64]]) -> float:
    """Return the log-probability of all known words and of the ends, all sentences at once."""
    sentences = sorted(sentences, key=len, reverse=True)
    lengths = np.array([len(ids) for ids in sentences])
    padded = np.full((len(sentences), lengths[0] + 1), model.eos, np.int64)
    for row, ids in enumerate(sentences):
        padded[row, : len(ids)] = ids
    states = np.full(len(sentences), model.start(), np.int64)
    total = 0.0
    for place in range(padded.shape[1]):
        going = int(np.count_nonzero(lengths >= place))
        asked = padded[:going, place]
        log_probs, states = model.score(states[:going], asked)
        total += float(log_probs[asked != model.unk].astype(np.float64).sum())
    return total
