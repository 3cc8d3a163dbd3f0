"""``asr-gru pronounce``: how words are said, and how that is known."""

from __future__ import annotations

from pathlib import Path

import click

from asr_gru.cli.lexicon import pronouncer

__all__ = ["command"]


@click.command("pronounce")
@click.argument("words", nargs=-1, required=True)
@click.option("--n", default=1, show_default=True, help="Ways for a word known by letters alone.")
@click.option(
    "--dictionary", type=click.Path(path_type=Path), help="Your own entries, asked first."
)
def command(words: tuple[str, ...], n: int, dictionary: Path | None) -> None:
    """Print the phones of WORDS, a line for each pronunciation, with its source."""
    for word, ways in zip(words, pronouncer(dictionary).pronounce_all(words, n), strict=True):
        for way in ways:
            click.echo(f"{word}  {' '.join(way.phones)}  ({way.source})")
