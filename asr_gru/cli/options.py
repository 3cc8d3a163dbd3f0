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
from asr_gru.results.transcript import MAX_ALTERNATIVES
from asr_gru.streaming.endpoint import EndpointRules

__all__ = [
    "THREADS_HELP",
    "alternatives_option",
    "cache_option",
    "check_confidence",
    "confidence_options",
    "endpoint_option",
    "endpoint_rules",
    "finite",
    "model_options",
    "normaliser_option",
    "size_in_bytes",
    "stream_options",
    "written_option",
]

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20}

if TYPE_CHECKING:
    from asr_gru.closed_vocabulary import ClosedVocabulary

F = TypeVar("F", bound=Callable[..., Any])

THREADS_HELP = "Threads of the acoustic model."
MODEL = click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="Bundled model, or a folder."
)
DECODER = click.option(
    "--decoder",
    type=click.Choice(["greedy", "beam", "words", "phones"]),
    help="Greedy, prefix beam search, word search, or phones.  [default: from the model]",
)
BEAM = click.option(
    "--beam",
    type=click.IntRange(1, 100_000),
    help="Beam width; 1 is greedy in models without a word search.  [default: from the model]",
)
OPTIONS = (
    MODEL,
    click.option(
        "--backend",
        type=click.Choice(["onnx", "torch"]),
        default="onnx",
        show_default=True,
        help="Runtime of the acoustic model: int8 in ONNX Runtime, or float32 in torch.",
    ),
    click.option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        default="cpu",
        show_default=True,
        help="Device of the acoustic model.",
    ),
    click.option(
        "--threads", type=click.IntRange(1), default=1, show_default=True, help=THREADS_HELP
    ),
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


def endpoint_option(
    default: str = "normal",
    text: str = "Endpoint rules: short, normal, long, off, or seconds of silence.",
) -> Callable[[F], F]:
    """Return ``--endpoint`` with its default and help."""
    return click.option("--endpoint", default=default, show_default=True, help=text)


def stream_options(threads: int, threads_help: str = THREADS_HELP) -> Callable[[F], F]:
    """Add the options of streaming commands; ``threads`` is the default of ``--threads``."""

    def add(function: F) -> F:
        for option in (
            endpoint_option(),
            DECODER,
            BEAM,
            click.option(
                "--threads",
                type=click.IntRange(1),
                default=threads,
                show_default=True,
                help=threads_help,
            ),
            MODEL,
        ):
            function = option(function)
        return function

    return add


written_option = click.option(
    "--written",
    is_flag=True,
    help="Write numbers, times and amounts in digits, and names with capitals (English).",
)


def alternatives_option(where: str) -> Callable[[F], F]:
    """Return ``--alternatives``; ``where`` says which output has them."""
    return click.option(
        "--alternatives",
        type=click.IntRange(1, MAX_ALTERNATIVES),
        metavar="N",
        help=f"Add the N best hypotheses of each segment, and competing words, to {where}.",
    )


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
