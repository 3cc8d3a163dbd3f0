"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["endpoint_rules", "model_options", "size_in_bytes", "stream_options"]

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20}

F = TypeVar("F", bound=Callable[..., Any])

MODEL = click.option(
    "--model", default="en-small", show_default=True, help="Bundled model, or a folder."
)
DECODER = click.option(
    "--decoder",
    type=click.Choice(["greedy", "beam", "words"]),
    help="Likeliest tokens, prefix beam, or words of lexicon and language model [model's own].",
)
BEAM = click.option(
    "--beam",
    type=click.IntRange(1, 100_000),
    help="Readings kept; 1 is greedy [model's own].",
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


def model_options(function: F) -> F:
    """Add the options that choose and run a model."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def stream_options(threads: int) -> Callable[[F], F]:
    """Add the options of commands that stream: model, threads (with a default), decoder, rules."""

    def add(function: F) -> F:
        for option in (
            click.option(
                "--endpoint",
                default="normal",
                show_default=True,
                help="Where segments end: short, normal, long, off, or seconds of silence.",
            ),
            DECODER,
            BEAM,
            click.option("--threads", type=click.IntRange(1), default=threads, show_default=True),
            MODEL,
        ):
            function = option(function)
        return function

    return add


def endpoint_rules(text: str) -> EndpointRules:
    """Read ``--endpoint``: a mode, or seconds of trailing silence."""
    return EndpointRules.parse(text)


def size_in_bytes(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> int | None:
    """Read a size such as ``8MB`` (decimal), ``8MiB``, or a number of bytes."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([A-Za-z]*)", value)
    unit = UNITS.get(found[2].upper()) if found else None
    if not found or unit is None:
        raise click.BadParameter(f"{value!r} is no size; write 8MB or a number of bytes")
    return int(float(found[1]) * unit)
