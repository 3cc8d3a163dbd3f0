"""``asr-gru pronounce``: print pronunciations and their sources."""

from __future__ import annotations

from pathlib import Path

import click

from asr_gru.cli.lexicon import pronouncer

__all__ = ["command"]


@click.command("pronounce")
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--n",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Pronunciations per word from the grapheme-to-phoneme model.",
)
@click.option(
    "--dictionary", type=click.Path(path_type=Path), help="Your own entries, which take precedence."
)
def command(words: tuple[str, ...], n: int, dictionary: Path | None) -> None:
    """Print the pronunciations of WORDS, one per line, with their sources."""
    for word, ways in zip(words, pronouncer(dictionary).pronounce_all(words, n), strict=True):
        for way in ways:
            click.echo(f"{word}  {' '.join(way.phones)}  ({way.source})")
