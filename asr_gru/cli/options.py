"""Options shared by several commands."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from asr_gru.errors import ConfigError
from asr_gru.model.info import DEFAULT_MODEL
from asr_gru.streaming.endpoint import EndpointRules

__all__ = [
    "cache_option",
    "check_confidence",
    "closed_decoder",
    "confidence_options",
    "endpoint_rules",
    "finite",
    "hot_decoder",
    "hot_word_option",
    "model_options",
    "normaliser_option",
    "phrase_options",
    "read_closed",
    "read_hot_words",
    "size_in_bytes",
    "stream_options",
    "written_option",
]

MAX_LIST_BYTES = 10_000_000

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20}

if TYPE_CHECKING:
    from asr_gru.closed_vocabulary import ClosedVocabulary
    from asr_gru.language import HotWord
    from asr_gru.recognizer import DecoderChoice, Recognizer

F = TypeVar("F", bound=Callable[..., Any])

MODEL = click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="Bundled model, or a folder."
)
DECODER = click.option(
    "--decoder",
    type=click.Choice(["greedy", "beam", "words"]),
    help="Greedy, prefix beam search, or word search.  [default: from the model]",
)
BEAM = click.option(
    "--beam",
    type=click.IntRange(1, 100_000),
    help="Beam width; 1 is greedy.  [default: from the model]",
)
OPTIONS = (
    MODEL,
    click.option(
        "--backend", type=click.Choice(["onnx", "torch"]), default="onnx", show_default=True
    ),
    click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True),
    click.option("--threads", type=click.IntRange(1), default=1, show_default=True),
    DECODER,
    BEAM,
)


def normaliser_option(text: str) -> Callable[[F], F]:
    """Return ``--normaliser`` with its help."""
    kinds = click.Choice(["none", "basic", "english"])
    return click.option("--normaliser", type=kinds, default="english", show_default=True, help=text)


cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("runs/cache"),
    show_default=True,
    help="Folder of decoded recordings, shared by all runs.",
)


def finite(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """Reject NaN and infinity, which click's ranges accept."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number", context, option)
    return value


def model_options(function: F) -> F:
    """Add the options for loading a model."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def stream_options(threads: int) -> Callable[[F], F]:
    """Add the options of streaming commands; ``threads`` is the default of ``--threads``."""

    def add(function: F) -> F:
        for option in (
            click.option(
                "--endpoint",
                default="normal",
                show_default=True,
                help="Endpoint rules: short, normal, long, off, or seconds of silence.",
            ),
            DECODER,
            BEAM,
            click.option("--threads", type=click.IntRange(1), default=threads, show_default=True),
            MODEL,
        ):
            function = option(function)
        return function

    return add


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


written_option = click.option(
    "--written",
    is_flag=True,
    help="Write numbers, times and amounts in digits, and names with capitals (English).",
)


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


def hot_word_option(function: F) -> F:
    """Add the option for hot words."""
    return click.option(
        "--hot-words",
        type=click.Path(path_type=Path),
        help="Favour the words of this file; lines of PHRASE [= WEIGHT], or WORD: PHONES.",
    )(function)


def confidence_options(function: F) -> F:
    """Add the options for words of low confidence."""
    for option in (
        click.option(
            "--mark-uncertain",
            is_flag=True,
            help="Mark words below --minimum-confidence as [word?] instead of omitting them.",
        ),
        click.option(
            "--minimum-confidence",
            type=click.FloatRange(0, 1),
            callback=finite,
            metavar="P",
            help="Omit words of lower confidence, from 0 to 1.",
        ),
    ):
        function = option(function)
    return function


def check_confidence(minimum: float | None, closed: ClosedVocabulary | None, *, mark: bool) -> None:
    """Raise ConfigError if the options of ``confidence_options`` are invalid."""
    if minimum is None and mark:
        raise ConfigError("--mark-uncertain needs --minimum-confidence; give one, such as 0.5")
    if minimum is not None and closed is not None:
        raise ConfigError(
            "--minimum-confidence cannot be combined with --phrases or --grammar; use --rejection"
        )


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
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a file of {what}") from None
    if len(data) > MAX_LIST_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_LIST_BYTES} bytes; give fewer")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8 text") from None
    found = tuple(line for line in map(str.strip, lines) if line and not line.startswith("#"))
    if not found:
        raise ConfigError(f"{path}: no {what}; write one per line")
    return found


def endpoint_rules(text: str) -> EndpointRules:
    """Parse ``--endpoint``: a mode, or seconds of trailing silence."""
    return EndpointRules.parse(text)


def size_in_bytes(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> int | None:
    """Parse a size such as ``8MB`` (decimal), ``8MiB``, or a number of bytes."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([A-Za-z]*)", value)
    unit = UNITS.get(found[2].upper()) if found else None
    if not found or unit is None:
        raise click.BadParameter(
            f"{value!r} is not a size; give one such as 8MB, or a number of bytes"
        )
    return int(float(found[1]) * unit)
