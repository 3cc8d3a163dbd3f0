"""Phrases, grammars and hot words on the command line: their options, files and decoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from asr_gru.cli.options import finite
from asr_gru.errors import ConfigError
from asr_gru.files import read_text

if TYPE_CHECKING:
    from asr_gru.closed_vocabulary import ClosedVocabulary
    from asr_gru.language import HotWord
    from asr_gru.recognizer import DecoderChoice, Recognizer

__all__ = [
    "closed_decoder",
    "hot_decoder",
    "hot_word_option",
    "phrase_options",
    "read_closed",
    "read_hot_words",
]

MAX_LIST_CHARACTERS = 10_000_000

F = TypeVar("F", bound=Callable[..., Any])


def phrase_options(function: F) -> F:
    """Add the options of closed vocabularies."""
    for option in (
        click.option(
            "--rejection",
            type=click.FloatRange(0, 20),
            callback=finite,
            help="Rejection threshold in nats per phone; lower values reject more.  [default: 3]",
        ),
        click.option(
            "--phrases",
            type=click.Path(path_type=Path),
            help="Recognise only the phrases of this file, one per line; # starts a comment.",
        ),
        click.option(
            "--grammar",
            type=click.Path(path_type=Path),
            help="Recognise only sentences of this JSGF grammar; JSON has intent and slots.",
        ),
    ):
        function = option(function)
    return function


def hot_word_option(function: F) -> F:
    """Add the option for hot words."""
    return click.option(
        "--hot-words",
        type=click.Path(path_type=Path),
        help="Favour the words of this file; lines of PHRASE [= WEIGHT], or WORD: PHONES.",
    )(function)


def read_closed(
    phrases: Path | None,
    grammar: Path | None,
    rejection: float | None,
    decoder: str | None,
    beam: int | None,
) -> ClosedVocabulary | None:
    """Create a vocabulary from ``--phrases``, ``--grammar`` and ``--rejection``.

    Raises:
        ConfigError: options exclude each other, or a file is invalid.
    """
    from asr_gru.closed_vocabulary import ClosedVocabulary

    given = [n for n, o in (("--phrases", phrases), ("--grammar", grammar)) if o is not None]
    if given and (decoder is not None or beam is not None):
        raise ConfigError(f"{given[0]} has its own decoder; leave --decoder and --beam out")
    if len(given) > 1:
        raise ConfigError("--phrases and --grammar exclude each other; give one of them")
    listed = None if phrases is None else _read_lines(phrases, "phrases")
    return ClosedVocabulary.parse(listed, grammar=grammar, rejection=rejection)


def closed_decoder(recognizer: Recognizer, closed: ClosedVocabulary | None) -> DecoderChoice:
    """Return the decoder for a closed vocabulary; None for open speech."""
    if closed is None:
        return None
    if closed.grammar is not None:
        return recognizer.grammar_decoder(
            closed.grammar, rejection=closed.rejection, name=closed.name
        )
    assert closed.phrases is not None
    return recognizer.phrase_decoder(closed.phrases, rejection=closed.rejection)


def read_hot_words(
    path: Path | None, closed: ClosedVocabulary | None
) -> tuple[HotWord, ...] | None:
    """Read the file of ``--hot-words``.

    Raises:
        ConfigError: the vocabulary is closed, or the file is invalid.
    """
    if path is None:
        return None
    from asr_gru.language import parse_hot_words

    if closed is not None:
        raise ConfigError(
            "--hot-words cannot be combined with --phrases or --grammar; leave it out"
        )
    lines = _read_lines(path, "hot words")
    try:
        return parse_hot_words(lines)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def hot_decoder(recognizer: Recognizer, listed: tuple[HotWord, ...] | None) -> DecoderChoice:
    """Return the decoder for hot words; print new pronunciations if ``--debug`` is set."""
    if listed is None:
        return None
    from asr_gru.decoding import TreeSearch, own_pronunciations

    decoder = recognizer.decoder_with_hot_words(listed)
    is_debug = click.get_current_context().find_root().params.get("debug", False)
    if is_debug and isinstance(decoder, TreeSearch):
        for word, ways in own_pronunciations(decoder, recognizer.tokenizer.symbols).items():
            for way in ways:
                click.echo(f"{word}: {way}", err=True)
    return decoder


def _read_lines(path: Path, what: str) -> tuple[str, ...]:
    """Read a UTF-8 list with one entry per line; empty lines and ``#`` comments are skipped.

    Raises:
        ConfigError: the file is missing, not text, or too large.
    """
    remedy = f"give a file of {what}, one per line"
    text = read_text(path, remedy, ConfigError, max_characters=MAX_LIST_CHARACTERS)
    lines = text.splitlines()
    found = tuple(line for line in map(str.strip, lines) if line and not line.startswith("#"))
    if not found:
        raise ConfigError(f"{path}: no {what}; write one per line")
    return found
