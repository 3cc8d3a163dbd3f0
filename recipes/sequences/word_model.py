"""A word language model: GRU layers with the vocabulary of an n-gram model.

The GRU knows the most frequent words. Any other word of the n-gram model has the probability of
``<unk>`` times its share of the unigram probability of such words (a shortlist, Schwenk 2007), so
that both models have the same vocabulary and their perplexities can be compared.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asr_gru.errors import ModelError
from asr_gru.files import write_bytes
from asr_gru.language import LanguageModel
from asr_gru.model.directory import LANGUAGE, ModelDirectory
from asr_gru.training.checkpoint import UNREADABLE
from recipes.sequences.stack import RecurrentStack

__all__ = ["MARKS", "Floats", "WordGru", "WordModel", "load_ngram", "mixture", "pad", "perplexity"]

Floats = npt.NDArray[np.float64]
EOS_ID, UNK_ID = 0, 1
MARKS = ("</s>", "<unk>")
CLUSTERS = (500, 2500)
"""Ranks by frequency at which the clusters of the softmax begin."""


class WordGru(nn.Module):
    """Embeddings, recurrent stack, and an adaptive softmax (Grave et al. 2017).

    Frequent words are scored in every place and with all features, the others in clusters: only
    where a word of the cluster follows, and with fewer features.
    """

    def __init__(
        self, words: int, layers: int, width: int, kernel_dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.dropout = nn.Dropout(0.1)
        self.stack = RecurrentStack(layers, width, dropout=0.1, kernel_dtype=kernel_dtype)
        ranks = sorted({min(rank, max(1, words - 1)) for rank in CLUSTERS})
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(width, words, ranks, div_value=2.0)

    def forward(self, inputs: Tensor, targets: Tensor, wanted: Tensor) -> Tensor:
        """Return log-probabilities of the wanted ``targets``, ``(n,)``.

        Args:
            inputs: word ids, ``(words, batch)``.
            targets: the word that follows each, ``(words, batch)``.
            wanted: which targets to score, ``(words, batch)``.
        """
        x = self.dropout(self.embedding(inputs))
        y, _ = self.stack(x, self.stack.start(inputs.shape[1]))
        scores: Tensor = self.softmax(self.dropout(y[wanted]), targets[wanted]).output
        return scores


class WordModel:
    """A trained GRU and its vocabulary.

    Attributes:
        net: the network.
        words: its words; the first are ``</s>``, which starts sentences as well, and ``<unk>``.
        ngram: the n-gram model with the whole vocabulary.
    """

    def __init__(self, net: WordGru, words: Sequence[str], ngram: LanguageModel) -> None:
        self.net, self.words, self.ngram = net, list(words), ngram
        self._ids = {word: index for index, word in enumerate(self.words)}
        rare = np.exp(ngram.unigram_log_probs.astype(np.float64))
        rare[[ngram.id(word) for word in self.words if word in ngram]] = 0.0
        rare[[ngram.bos, ngram.eos, ngram.unk]] = 0.0
        with np.errstate(divide="ignore"):
            self._rare = np.log(rare / max(float(rare.sum()), 1e-300))

    def ids(self, sentence: Sequence[str]) -> list[int]:
        """Return the ids of the words, ``UNK_ID`` for those outside the shortlist."""
        return [self._ids.get(word, UNK_ID) for word in sentence]

    @torch.no_grad()
    def log_probs(self, sentences: Sequence[Sequence[str]], batch: int = 64) -> list[Floats]:
        """Return the log-probabilities of words and sentence end, ``(words + 1,)`` for each.

        A word that the n-gram model does not know has the log-probability of all unknown words.
        """
        self.net.eval()
        found: list[Floats] = [np.zeros(0)] * len(sentences)
        order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
        for first in range(0, len(order), batch):
            rows = order[first : first + batch]
            inputs, targets, wanted = pad([self.ids(sentences[row]) for row in rows])
            flat = self.net(inputs, targets, wanted)
            padded = torch.zeros(targets.shape).masked_scatter_(wanted, flat).double().numpy()
            for column, row in enumerate(rows):
                found[row] = padded[: len(sentences[row]) + 1, column]
                for place, word in enumerate(sentences[row]):
                    if word not in self._ids and word in self.ngram:
                        found[row][place] += self._rare[self.ngram.id(word)]
        return found

    def save(self, path: Path) -> None:
        """Write words and weights to a file."""
        sizes = {"layers": len(self.net.stack.layers), "width": self.net.embedding.embedding_dim}
        values = {**sizes, "words": self.words, "weights": self.net.state_dict()}
        data = io.BytesIO()
        torch.save(values, data)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data.getvalue())

    @classmethod
    def load(cls, path: Path, ngram: LanguageModel) -> WordModel:
        """Read a file that ``save`` wrote: tensors and plain values, no code is executed.

        Raises:
            ModelError: the file is missing, damaged or something else.
        """
        try:
            values: dict[str, Any] = torch.load(path, weights_only=True)
            words = msgspec.convert(values["words"], list[str])
            net = WordGru(len(words), values["layers"], values["width"])
            net.load_state_dict(values["weights"])
        except UNREADABLE as error:
            raise ModelError(
                f"{path}: not a model of recipes.sequences.text ({type(error).__name__}); "
                "train one with python -m recipes.sequences.text"
            ) from None
        return cls(net, words, ngram)


def pad(sentences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs, targets, and which targets are wanted, each ``(words + 1, batch)``."""
    longest = max(map(len, sentences)) + 1
    inputs = torch.full((longest, len(sentences)), EOS_ID)
    targets = torch.full((longest, len(sentences)), EOS_ID)
    wanted = torch.zeros((longest, len(sentences)), dtype=torch.bool)
    for column, ids in enumerate(sentences):
        row = torch.tensor(ids, dtype=torch.int64)
        inputs[1 : len(ids) + 1, column] = row
        targets[: len(ids), column] = row
        wanted[: len(ids) + 1, column] = True
    return inputs, targets, wanted


def mixture(first: Floats, second: Floats, weight: float) -> Floats:
    """Return the log-probabilities of ``weight`` times the first plus the rest of the second."""
    if weight in {0.0, 1.0}:
        return first if weight else second
    return np.logaddexp(first + math.log(weight), second + math.log1p(-weight))


def perplexity(log_probs: Sequence[Floats], known: Sequence[npt.NDArray[np.bool_]]) -> float:
    """Return the perplexity per known word or sentence end."""
    total = sum(float(row[mask].sum()) for row, mask in zip(log_probs, known, strict=True))
    return math.exp(-total / sum(int(mask.sum()) for mask in known))


def load_ngram(model: str) -> LanguageModel:
    """Return the n-gram model of a model directory.

    Raises:
        ModelError: it has none.
    """
    path = ModelDirectory.open(model).path / LANGUAGE
    if not path.exists():
        raise ModelError(f"{model}: has no language model; give a model of phones, as en-small is")
    return LanguageModel.load(path)
