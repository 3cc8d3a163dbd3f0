"""A word language model with the recurrent stack, beside the n-gram model that ships.

    python -m recipes.sequences.text novels.txt everyday.txt --dev dev.tsv

trains on texts (one normalised sentence per line), and prints the perplexity of the transcripts of
``--dev`` under the n-gram model, the GRU, and the equal mixture of both.

The GRU knows the most frequent words. Any other word of the n-gram model has the probability of
``<unk>`` times its share of the unigram probability of such words (a shortlist, Schwenk 2007), so
that both models have the same vocabulary and their perplexities can be compared.
"""

from __future__ import annotations

import argparse
import io
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asr_gru.data.manifest import name_manifests, read_manifest
from asr_gru.errors import DataError, Error, ModelError
from asr_gru.files import write_bytes
from asr_gru.language import LanguageModel
from asr_gru.language.text_files import read_lines
from asr_gru.model.directory import LANGUAGE, ModelDirectory
from asr_gru.text import normalise
from asr_gru.training.checkpoint import UNREADABLE
from asr_gru.training.config import OptimiserConfig
from recipes.cells.pictures import save
from recipes.sequences.stack import RecurrentStack, fastest_kernel, train_steps

__all__ = ["WordGru", "WordModel", "load_ngram", "main", "mixture", "perplexity"]

Floats = npt.NDArray[np.float64]
EOS_ID, UNK_ID = 0, 1
MARKS = ("</s>", "<unk>")
CLUSTERS = (500, 2500)
"""Ranks by frequency at which the clusters of the softmax begin."""
LONGEST = 60
"""Words of a sentence to train on; the rest is left out."""
REPORTS = 6
"""Times that perplexities are computed while training."""
POOL_BATCHES = 50
"""Sentences are sorted by length within pools of about this many batches."""


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


def sample_texts(paths: Sequence[Path], words: int, seed: int = 1) -> list[list[str]]:
    """Return random sentences of texts, about ``words`` words in all and equally many of each.

    What a small text is short of is taken from the others.

    Raises:
        DataError: a text cannot be read or has no words.
    """
    sizes = [sum(len(line.split()) for _, line in read_lines(path)) for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        if not size:
            raise DataError(f"{path}: no words; give texts with one sentence per line")
    left, share = words, dict.fromkeys(range(len(paths)), 0.0)
    for count, place in enumerate(sorted(share, key=lambda place: sizes[place])):
        taken = min(sizes[place], left / (len(paths) - count))
        share[place], left = taken / sizes[place], left - int(taken)
    choose, sentences = random.Random(seed), []
    for place, path in enumerate(paths):
        for _, line in read_lines(path):
            if choose.random() < share[place] and (sentence := line.split()):
                sentences.append(sentence[:LONGEST])
    if not sentences:
        raise DataError("--words is too low for a single sentence; raise it")
    choose.shuffle(sentences)
    return sentences


def choose_words(sentences: Sequence[Sequence[str]], ngram: LanguageModel, size: int) -> list[str]:
    """Return the marks and the most frequent words that the n-gram model knows."""
    counts = Counter(word for sentence in sentences for word in sentence if word in ngram)
    for mark in (*MARKS, "<s>"):
        counts.pop(mark, None)
    return [*MARKS, *(word for word, _ in counts.most_common(size - len(MARKS)))]


def plan_batches(sentences: Sequence[Sequence[int]], tokens: int, seed: int = 1) -> list[list[int]]:
    """Return batches of sentences of similar length, at most ``tokens`` words once padded."""
    mean = sum(len(ids) + 1 for ids in sentences) / len(sentences)
    size = max(1, round(POOL_BATCHES * tokens / mean))
    batches: list[list[int]] = []
    for first in range(0, len(sentences), size):
        pool = range(first, min(first + size, len(sentences)))
        batch: list[int] = []
        for index in sorted(pool, key=lambda index: len(sentences[index])):
            if batch and (len(batch) + 1) * (len(sentences[index]) + 1) > tokens:
                batches.append(batch)
                batch = []
            batch.append(index)
        batches.append(batch)
    random.Random(seed).shuffle(batches)
    return batches


def train(
    sentences: Sequence[Sequence[str]],
    ngram: LanguageModel,
    *,
    vocab_size: int,
    layers: int,
    width: int,
    tokens: int,
    learning_rate: float,
    epochs: int = 1,
    on_step: Callable[[WordModel, int, int, float], None],
) -> WordModel:
    """Train a model.

    Args:
        sentences: the training text.
        ngram: the model whose words are the vocabulary.
        vocab_size: words that the GRU knows.
        layers: recurrent layers.
        width: units per layer, and of the embeddings.
        tokens: words per batch, padding included.
        learning_rate: peak learning rate of AdamW.
        epochs: epochs over the sentences.
        on_step: receives model, steps taken, steps in all, and loss in nats per word.
    """
    torch.manual_seed(1)
    words = choose_words(sentences, ngram, vocab_size)
    model = WordModel(WordGru(len(words), layers, width, fastest_kernel(width)), words, ngram)
    encoded = [model.ids(sentence) for sentence in sentences]
    batches = [b for epoch in range(epochs) for b in plan_batches(encoded, tokens, epoch)]

    def loss_of(step: int) -> Tensor:
        inputs, targets, wanted = pad([encoded[index] for index in batches[step]])
        return -model.net(inputs, targets, wanted).mean()

    config = OptimiserConfig(
        name="adamw", learning_rate=learning_rate, warmup_steps=min(200, len(batches) // 5), ema=0.0
    )
    train_steps(
        model.net,
        loss_of,
        len(batches),
        config=config,
        on_step=lambda step, loss: on_step(model, step, len(batches), loss),
    )
    return model


class DevText:
    """Transcripts of a manifest, scored by the n-gram model once."""

    def __init__(self, sentences: Sequence[Sequence[str]], ngram: LanguageModel) -> None:
        self.sentences = [sentence for sentence in sentences if sentence]
        self.ngram = [ngram.sentence(s).astype(np.float64) for s in self.sentences]
        self.known = [np.array([*(w in ngram for w in s), True]) for s in self.sentences]

    def perplexities(self, model: WordModel) -> tuple[float, float, float]:
        """Return the perplexities of n-gram, GRU, and their equal mixture."""
        gru = model.log_probs(self.sentences)
        mixed = [mixture(a, b, 0.5) for a, b in zip(gru, self.ngram, strict=True)]
        return tuple(perplexity(one, self.known) for one in (self.ngram, gru, mixed))  # type: ignore[return-value]


def draw(curves: dict[str, list[tuple[float, float, float, float]]], path: Path) -> None:
    """Draw perplexities of each dev text against the words trained on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(curves), 3.4), layout="constrained")
    for axis, (name, rows) in zip(
        figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True
    ):
        words, ngram, gru, mixed = (list(column) for column in zip(*rows, strict=True))
        axis.plot(words, ngram, "k--", label="n-gram", linewidth=1)
        axis.plot(words, gru, label="GRU")
        axis.plot(words, mixed, label="both, equally weighted")
        axis.set_yscale("log")
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("million words trained on")
    axis.legend(fontsize=8)
    figure.axes[0].set_ylabel("perplexity")
    save(figure, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print the perplexities and draw them; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.sequences.text",
        description="Train a word language model with GRU layers.",
    )
    parser.add_argument("texts", type=Path, nargs="+", help="one normalised sentence per line")
    parser.add_argument("--dev", type=Path, nargs="+", default=[], help="manifests to report on")
    parser.add_argument("--model", default="en-small", help="model with the n-gram to compare with")
    parser.add_argument("--output", type=Path, default=Path("runs/sequences/language.pt"))
    parser.add_argument("--picture", type=Path, help="PNG file of the perplexities of --dev")
    parser.add_argument("--words", type=count, default=1_000_000, help="words to train on")
    parser.add_argument("--epochs", type=count, default=1, help="epochs over them")
    parser.add_argument("--vocab-size", type=count, default=10_000, help="words the GRU knows")
    parser.add_argument("--layers", type=count, default=2)
    parser.add_argument("--width", type=count, default=128)
    parser.add_argument("--batch-words", type=count, default=1280, help="words per batch")
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    options = parser.parse_args(argv)
    if not 0.0 < options.learning_rate < 1.0:
        parser.error("--learning-rate has to be between 0 and 1")
    if options.vocab_size < len(MARKS) + 1:
        parser.error(f"--vocab-size has to be {len(MARKS) + 1} or more")
    if options.picture and not options.dev:
        parser.error("--picture draws the perplexities of --dev; give both")
    try:
        run(options)
    except Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    """Train as the options say."""
    ngram = load_ngram(options.model)
    texts = {
        name: DevText(
            [normalise(one.text, "english").split() for one in read_manifest(path)], ngram
        )
        for name, path in zip(name_manifests(options.dev), options.dev, strict=True)
    }
    sentences = sample_texts(options.texts, options.words)
    words = options.epochs * sum(map(len, sentences)) / 1e6
    print(f"{len(sentences)} sentences, {words:.2f} million words to train on", file=sys.stderr)
    curves: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in texts}
    began, losses = time.process_time(), []

    def on_step(model: WordModel, step: int, steps: int, loss: float) -> None:
        losses.append(loss)
        if step != steps and step % max(1, steps // REPORTS):
            return
        for name, text in texts.items():
            curves[name].append((words * step / steps, *text.perplexities(model)))
        minutes, mean = (time.process_time() - began) / 60, float(np.mean(losses))
        rates = "  ".join(f"{name} {rows[-1][2]:.0f}" for name, rows in curves.items())
        line = f"step {step}/{steps}  loss {mean:.3f}  {minutes:.1f} CPU min  perplexity {rates}"
        print(line, file=sys.stderr, flush=True)
        losses.clear()

    model = train(
        sentences,
        ngram,
        vocab_size=options.vocab_size,
        layers=options.layers,
        width=options.width,
        tokens=options.batch_words,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        on_step=on_step,
    )
    minutes = (time.process_time() - began) / 60
    model.save(options.output)
    size = sum(p.numel() for p in model.net.parameters()) / 1e6
    print(f"{words:.2f} million words, {size:.2f} million parameters, {minutes:.1f} CPU minutes")
    if curves:
        print(f"{'perplexity':<20}{'n-gram':>8}{'GRU':>8}{'both':>8}")
    for name, rows in curves.items():
        print(f"{name:<20}" + "".join(f"{value:>8.1f}" for value in rows[-1][1:]))
    if options.picture:
        draw(curves, options.picture)
    print(f"{options.output} written", file=sys.stderr)


def count(text: str) -> int:
    """Parse a whole number from 1 of an option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
