"""``asr-gru language-model``: train, evaluate and convert n-gram language models."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

import click

from asr_gru.cli.options import size_in_bytes
from asr_gru.data.manifest import read_manifest
from asr_gru.errors import ConfigError, DataError
from asr_gru.language import (
    EstimateConfig,
    LanguageModel,
    NGrams,
    estimate,
    perplexity,
    read_arpa,
    write_arpa,
)
from asr_gru.language.corpus import blocks_of, read_words
from asr_gru.language.files import BINARY

__all__ = ["command"]

MANIFESTS = (".tsv", ".jsonl", ".jsonl.gz")

ARPA = re.compile(r"\.arpa(\.gz|\.xz)?$")
TEXTS = click.Path(path_type=Path)


@click.group("language-model")
def command() -> None:
    """Train, evaluate and convert n-gram language models."""


@command.command("train", short_help="Train a model on texts.")
@click.argument("texts", nargs=-1, required=True, type=TEXTS)
@click.option("--out", required=True, type=TEXTS, help="File to write: .bin, .arpa, .arpa.gz/.xz.")
@click.option("--order", default=3, show_default=True, help="Order of the model, 1 to 5.")
@click.option("--vocabulary", default=65_000, show_default=True, help="Maximum number of words.")
@click.option("--words", type=TEXTS, help="Word list or text lexicon to take the words from.")
@click.option("--size", callback=size_in_bytes, help="Prune to a file of this size, such as 8MB.")
@click.option(
    "--development",
    type=TEXTS,
    multiple=True,
    help="Text or manifest to optimise the interpolation weights on.",
)
def _train(
    texts: tuple[Path, ...],
    out: Path,
    order: int,
    vocabulary: int,
    words: Path | None,
    size: int | None,
    development: tuple[Path, ...],
) -> None:
    """Train a model on TEXTS: files (.txt, .gz, .xz, a manifest .tsv or .jsonl) or folders of them.

    Texts have one sentence per line, and words separated by white space, as they should be
    recognised. With --development a model is trained on each of TEXTS, and these are interpolated
    with the weights that minimise the perplexity of the development texts.
    """
    started = time.process_time()
    _check_writable(out)
    allowed = tuple(read_words(words)) if words else ()
    config = EstimateConfig(order, vocabulary, size, allowed)
    held_out = [list(_blocks(path)) for path in development]
    estimated = estimate(
        [(str(path), _blocks(path)) for path in texts],
        config,
        held_out,
        on_progress=lambda line: click.echo(
            f"{time.process_time() - started:6.1f} s  {line}", err=True
        ),
    )
    if len(estimated.weights) > 1:
        for path, weight, count in zip(texts, estimated.weights, estimated.words, strict=True):
            click.echo(f"weight {weight:.3f}  {count} words  {path}")
    model = LanguageModel.build(estimated.ngrams)
    _write(estimated.ngrams, out, quantise=True)
    click.echo(f"{out}: {_summary(model)}, {out.stat().st_size / 1e6:.2f} MB")
    for path, blocks in zip(development, held_out, strict=True):
        _report(model, path, blocks)


@command.command("perplexity", short_help="Print the perplexity of a model on texts.")
@click.argument("model", type=TEXTS)
@click.argument("texts", nargs=-1, required=True, type=TEXTS)
def _perplexity(model: Path, texts: tuple[Path, ...]) -> None:
    """Print the perplexity of MODEL on TEXTS, without words outside its vocabulary."""
    loaded = _load(model)
    for path in texts:
        _report(loaded, path, _blocks(path))


@command.command("info")
@click.argument("model", type=TEXTS)
def _info(model: Path) -> None:
    """Print the order, number of n-grams and size of MODEL."""
    loaded = _load(model)
    click.echo(f"{model}: {_summary(loaded)}, {model.stat().st_size / 1e6:.2f} MB")


@command.command("convert", short_help="Convert a model to or from ARPA.")
@click.argument("source", type=TEXTS)
@click.argument("target", type=TEXTS)
@click.option("--exact", is_flag=True, help="Write float32 values to .bin, not 8-bit codes.")
def _convert(source: Path, target: Path, exact: bool) -> None:
    """Convert SOURCE to TARGET: .arpa, .arpa.gz, .arpa.xz, or .bin for recognition.

    SOURCE is ARPA with any name that does not end in .bin.
    """
    _check_writable(target)
    _write(_ngrams(source), target, quantise=not exact)
    click.echo(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


def _blocks(path: Path) -> Iterable[str]:
    if path.name.endswith(MANIFESTS):
        return ["".join(f"{utterance.text}\n" for utterance in read_manifest(path))]
    return blocks_of(path)


def _ngrams(path: Path) -> NGrams:
    return LanguageModel.load(path).ngrams() if path.suffix == BINARY else read_arpa(path)


def _load(path: Path) -> LanguageModel:
    if path.suffix == BINARY:
        return LanguageModel.load(path)
    return LanguageModel.build(read_arpa(path), quantise=False)


def _check_writable(path: Path) -> None:
    if not ARPA.search(path.name) and path.suffix != BINARY:
        raise ConfigError(f"{path}: write .bin for recognition, or .arpa, .arpa.gz, .arpa.xz")
    if not path.parent.is_dir():
        raise DataError(f"{path.parent}: no such folder; make it first")


def _write(ngrams: NGrams, path: Path, *, quantise: bool) -> None:
    if ARPA.search(path.name):
        write_arpa(ngrams, path)
    else:
        LanguageModel.build(ngrams, quantise=quantise).save(path)


def _summary(model: LanguageModel) -> str:
    counts = ", ".join(f"{count} {n}-grams" for n, count in enumerate(model.counts, start=1))
    return f"order {model.order}, {counts}"


def _report(model: LanguageModel, path: Path, blocks: Iterable[str]) -> None:
    result = perplexity(model, blocks, str(path))
    click.echo(
        f"perplexity {result.perplexity:.1f}, {result.unknown_percent:.2f} % unknown words "
        f"({result.words} words, {result.sentences} sentences)  {path}"
    )
