"""Perplexity of a language model on a text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from asr_gru.errors import DataError
from asr_gru.language.ngram import LanguageModel
from asr_gru.language.ngrams import Ints

__all__ = ["Perplexity", "perplexity"]

BATCH = 2048


@dataclass(frozen=True, slots=True)
class Perplexity:
    """The score of a text.

    Attributes:
        sentences: number of lines with words.
        words: number of words, without sentence ends.
        unknown: number of words outside the vocabulary, which are not scored.
        log_prob: log-probability of all known words and sentence ends.
    """

    sentences: int
    words: int
    unknown: int
    log_prob: float

    @property
    def perplexity(self) -> float:
        """Perplexity per known word or sentence end."""
        return math.exp(-self.log_prob / (self.words - self.unknown + self.sentences))

    @property
    def unknown_percent(self) -> float:
        """Percentage of words outside the vocabulary."""
        return 100 * self.unknown / self.words


def perplexity(model: LanguageModel, blocks: Iterable[str], name: str = "text") -> Perplexity:
    """Score a text, given as blocks of whole lines with one sentence per line.

    Raises:
        DataError: the text has no words.
    """
    sentences = words = unknown = 0
    log_prob = 0.0
    for block in blocks:
        lines = [fields for line in block.split("\n") if (fields := line.split())]
        for first in range(0, len(lines), BATCH):
            part = [_ids(model, fields) for fields in lines[first : first + BATCH]]
            sentences += len(part)
            words += sum(map(len, part))
            unknown += sum(int(np.count_nonzero(ids == model.unk)) for ids in part)
            log_prob += _score(model, part)
    if not words:
        raise DataError(f"{name}: no words; give a text with one sentence per line")
    return Perplexity(sentences, words, unknown, log_prob)


def _ids(model: LanguageModel, fields: list[str]) -> Ints:
    """Return ids; marks of sentences in the text itself are unknown words, as in training."""
    ids = model.ids(fields)
    ids[(ids == model.bos) | (ids == model.eos)] = model.unk
    return ids


def _score(model: LanguageModel, sentences: list[Ints]) -> float:
    """Return the log-probability of all known words and sentence ends, batched over sentences."""
    sentences = sorted(sentences, key=len, reverse=True)
    lengths = np.array([len(ids) for ids in sentences])
    # One after the other, as a table would have the length of the longest for each.
    starts = np.cumsum(lengths + 1) - lengths - 1
    words_of_all = np.insert(np.concatenate(sentences), np.cumsum(lengths), model.eos)
    states = np.full(len(sentences), model.start(), np.int64)
    total = 0.0
    for position in range(int(lengths[0]) + 1):
        active = int(np.count_nonzero(lengths >= position))
        words = words_of_all[starts[:active] + position]
        log_probs, states = model.score(states[:active], words)
        total += float(log_probs[words != model.unk].astype(np.float64).sum())
    return total
