"""``asr-gru adapt``: add words and texts of your own to a model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_gru.cli.options import finite, size_in_bytes

if TYPE_CHECKING:
    from asr_gru.adaptation import Adaptation
    from asr_gru.language.adaptation import PerplexityChange

__all__ = ["command"]

FILE = click.Path(path_type=Path)
SHOWN_WORDS = 20
SHOWN_UNKNOWN = 8


@click.command("adapt")
@click.argument("model")
@click.option("--words", type=FILE, help="Words to add, one per line: WORD, or WORD: PH ON ES.")
@click.option(
    "--text",
    "texts",
    type=FILE,
    multiple=True,
    help="Text, one sentence or paragraph per line: a file (.txt, .gz, .xz) or a folder.",
)
@click.option("--out", required=True, type=FILE, help="Model directory to write.")
@click.option(
    "--dev",
    type=FILE,
    help="Manifest to optimise the weight on, and to compare word error rates.",
)
@click.option(
    "--weight",
    type=click.FloatRange(0, 1),
    callback=finite,
    help="Weight of the text in the mixture  [found by cross-validation, or on --dev].",
)
@click.option("--size", callback=size_in_bytes, help="Prune language.bin to a size such as 8MB.")
@click.option("--force", is_flag=True, help="Replace a model directory at --out.")
def command(
    model: str,
    words: Path | None,
    texts: tuple[Path, ...],
    out: Path,
    dev: Path | None,
    weight: float | None,
    size: int | None,
    force: bool,
) -> None:
    """Write a copy of MODEL with further words, and a language model mixed with one of texts.

    Words without phones are pronounced by dictionary, rule or grapheme-to-phoneme model. Never
    give a test set as --dev.
    """
    from asr_gru.adaptation import adapt

    adaptation = adapt(
        model,
        out,
        words=words,
        texts=texts,
        development=dev,
        weight=weight,
        size=size,
        overwrite=force,
        on_progress=lambda line: click.echo(line, err=True),
    )
    _show_words(adaptation)
    _show_text(adaptation)
    _show_errors(adaptation)
    before, after = (count / 1e6 for count in adaptation.language_bytes)
    click.echo(f"{out}: language model {before:.2f} MB before, {after:.2f} MB after")


def _show_words(adaptation: Adaptation) -> None:
    for one in adaptation.added[:SHOWN_WORDS]:
        for phones in one.pronunciations:
            click.echo(f"{one.word}: {' '.join(phones)}  ({one.source})")
    if len(adaptation.added) > SHOWN_WORDS:
        click.echo(f"... and {len(adaptation.added) - SHOWN_WORDS} more")
    kinds = Counter(one.source.split(" '", 1)[0] for one in adaptation.added)
    origins = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    if adaptation.added or adaptation.known:
        click.echo(
            f"words: {len(adaptation.added)} added{f' ({origins})' if origins else ''}, "
            f"{len(adaptation.known)} known already"
        )


def _show_text(adaptation: Adaptation) -> None:
    text = adaptation.text
    if text is None:
        return
    missing = sum(count for _, count in text.unknown)
    common = ", ".join(f"{word} {count}" for word, count in text.unknown[:SHOWN_UNKNOWN])
    click.echo(f"text: {text.words} words, weight {text.weight:.3f}")
    if text.unknown:
        click.echo(f"not in the lexicon: {missing} ({common}); add them with --words")
    if text.held_out is not None:
        _show_perplexity("held-out text", text.held_out)
    if adaptation.development is not None:
        _show_perplexity("development list", adaptation.development)


def _show_perplexity(name: str, change: PerplexityChange) -> None:
    click.echo(
        f"perplexity of {name}: {change.before:.1f} before, {change.after:.1f} after "
        f"(unknown words {change.unknown_before:.2f} %, {change.unknown_after:.2f} %)"
    )


def _show_errors(adaptation: Adaptation) -> None:
    before, after, difference = adaptation.before, adaptation.after, adaptation.comparison
    if before is None or after is None or difference is None:
        return
    for problem in before.unreadable:
        click.echo(f"asr-gru: {problem}; left out", err=True)
    low, high = difference.interval
    click.echo(
        f"WER %: {before.words.rate:.2f} before, {after.words.rate:.2f} after, "
        f"{difference.difference:+.2f} points (95 % {low:+.1f} to {high:+.1f}, "
        f"{'significant' if difference.significant else 'not significant'})"
    )
