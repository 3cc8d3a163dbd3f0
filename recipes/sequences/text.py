"""A word language model with the recurrent stack, compared with the bundled n-gram model.

    python -m recipes.sequences.text novels.txt everyday.txt --dev dev.tsv

trains on texts (one normalised sentence per line), and prints the perplexity of the transcripts of
``--dev`` under the n-gram model, the GRU, and the equal mixture of both.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from asr_gru.data.manifest import name_manifests, read_manifest
from asr_gru.errors import DataError
from asr_gru.language import LanguageModel
from asr_gru.language.text_files import read_lines
from asr_gru.text import normalise
from recipes.command_line import needed, one_line_errors, whole_number

with needed(__name__, "train"):
    import torch
    from torch import Tensor

    from asr_gru.training.config import OptimiserConfig
    from recipes.cells.pictures import save
    from recipes.sequences.stack import fastest_kernel, train_steps
    from recipes.sequences.word_model import (
        MARKS,
        WordGru,
        WordModel,
        load_ngram,
        mixture,
        pad,
        perplexity,
    )

__all__ = ["choose_words", "main", "plan_batches", "sample_texts", "train"]

LONGEST = 60
"""Maximum length of a training sentence in words; the rest of a longer one is left out."""
REPORTS = 6
"""Times that perplexities are computed while training."""
POOL_BATCHES = 50
"""Sentences are sorted by length within pools of about this many batches."""


def sample_texts(paths: Sequence[Path], words: int, seed: int = 1) -> list[list[str]]:
    """Return random sentences of texts, about ``words`` words in all, equally many of each text.

    Where a text is too small for its share, the others make up the difference.

    Raises:
        DataError: a text cannot be read or has no words.
    """
    sizes = [sum(len(line.split()) for _, line in read_lines(path)) for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        if not size:
            raise DataError(f"{path}: no words; give texts with one sentence per line")
    left, share = words, dict.fromkeys(range(len(paths)), 0.0)
    for done, place in enumerate(sorted(share, key=lambda place: sizes[place])):
        taken = min(sizes[place], left / (len(paths) - done))
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
    """Transcripts of a manifest, scored by the n-gram model once.

    Raises:
        DataError: they have no words.
    """

    def __init__(self, path: Path, ngram: LanguageModel) -> None:
        sentences = [normalise(one.text, "english").split() for one in read_manifest(path)]
        if not any(sentences):
            raise DataError(f"{path}: texts without words; give a manifest with transcripts")
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


@one_line_errors()
def main(argv: Sequence[str] | None = None) -> int:
    """Train, print the perplexities and draw them; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.sequences.text",
        description="Train a word language model with GRU layers.",
    )
    parser.add_argument("texts", type=Path, nargs="+", help="one normalised sentence per line")
    parser.add_argument("--dev", type=Path, nargs="+", default=[], help="manifests to report on")
    parser.add_argument("--model", default="en-small", help="model with the n-gram to compare with")
    parser.add_argument("--output", type=Path, default=Path("runs/sequences/language.pt"),
                        help="file of the model")  # fmt: skip
    parser.add_argument("--picture", type=Path, help="PNG file of the perplexities of --dev")
    parser.add_argument("--words", type=whole_number, default=1_000_000, help="words to train on")
    parser.add_argument("--epochs", type=whole_number, default=1, help="epochs over them")
    parser.add_argument(
        "--vocab-size", type=whole_number, default=10_000, help="words the GRU knows"
    )
    parser.add_argument("--layers", type=whole_number, default=2, help="recurrent layers")
    parser.add_argument("--width", type=whole_number, default=128, help="units per layer")
    parser.add_argument("--batch-words", type=whole_number, default=1280, help="words per batch")
    parser.add_argument("--learning-rate", type=float, default=4e-3,
                        help="peak learning rate")  # fmt: skip
    options = parser.parse_args(argv)
    if not 0.0 < options.learning_rate < 1.0:
        parser.error("--learning-rate has to be between 0 and 1")
    if options.vocab_size < len(MARKS) + 1:
        parser.error(f"--vocab-size has to be {len(MARKS) + 1} or more")
    if options.picture and not options.dev:
        parser.error("--picture draws the perplexities of --dev; give both")
    run(options)
    return 0


def run(options: argparse.Namespace) -> None:
    """Train as the options say."""
    ngram = load_ngram(options.model)
    texts = {
        name: DevText(path, ngram)
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


if __name__ == "__main__":
    sys.exit(main())
