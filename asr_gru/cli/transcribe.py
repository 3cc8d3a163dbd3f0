"""``asr-gru transcribe``: recordings to text, subtitles or data."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import click

from asr_gru.cli.options import endpoint_rules, model_options
from asr_gru.errors import ConfigError, Error
from asr_gru.recognizer import Recognizer
from asr_gru.results import Transcript
from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["command"]

_Result = tuple[Path, Transcript | Error]


@dataclass(frozen=True, slots=True)
class _Settings:
    model: str
    backend: Literal["onnx", "torch"]
    device: str
    threads: int
    decoder: str | None
    beam: int | None
    rules: EndpointRules

    def load(self) -> Recognizer:
        return Recognizer.load(
            self.model,
            backend=self.backend,
            device=self.device,
            threads=self.threads,
            decoder=self.decoder,
            beam=self.beam,
        )


@click.command("transcribe")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_options
@click.option(
    "--format",
    "formats",
    multiple=True,
    help="txt, srt, vtt, json, tsv, ctm or TextGrid; several with --output-dir.  [default: txt]",
)
@click.option(
    "--phones",
    is_flag=True,
    help="What the acoustic model hears, with times: --decoder greedy --format ctm.",
)
@click.option(
    "--output-dir", type=click.Path(path_type=Path), help="Write files instead of to stdout."
)
@click.option(
    "--endpoint",
    default="normal",
    show_default=True,
    help="Where segments end: short, normal, long, off, or seconds of silence.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, help="Recordings at a time (processes).")
@click.option(
    "--batch-size", type=click.IntRange(1, 1024), default=1, help="Recordings a call of the model."
)
def command(
    recordings: tuple[Path, ...],
    model: str,
    backend: Literal["onnx", "torch"],
    device: str,
    threads: int,
    decoder: str | None,
    beam: int | None,
    phones: bool,
    formats: tuple[str, ...],
    output_dir: Path | None,
    endpoint: str,
    jobs: int,
    batch_size: int,
) -> int:
    """Transcribe RECORDINGS: files, or folders of them."""
    from asr_gru.audio import find_recordings
    from asr_gru.formats import writer

    if phones:
        if decoder not in {None, "greedy"} or beam is not None:
            raise ConfigError("--phones is greedy; leave --decoder and --beam out")
        decoder = "greedy"
    formats = formats or ("ctm" if phones else "txt",)
    for name in formats:
        writer(name)
    if len(set(formats)) > 1 and output_dir is None:
        raise ConfigError("several formats at once need --output-dir")
    settings = _Settings(model, backend, device, threads, decoder, beam, endpoint_rules(endpoint))
    paths, failed = [], False
    for recording in recordings:
        try:
            paths += find_recordings([recording])
        except Error as error:
            _complain(error)
            failed = True
    if not paths:
        return 1
    stems = _stems(paths)
    for path, result in _progress(_results(settings, paths, jobs, batch_size), len(paths)):
        if isinstance(result, Error):
            _complain(result)
            failed = True
            continue
        for warning in result.warnings:
            click.echo(f"asr-gru: {warning}", err=True)
        for name in dict.fromkeys(formats):
            text = writer(name)(result, path.stem)
            if output_dir is not None:
                _write(output_dir / f"{stems[path]}.{name}", text)
                continue
            if len(paths) > 1 and name == "txt":
                click.echo(f"# {path}")
            click.echo(text, nl=False)
    return int(failed)


def _results(
    settings: _Settings, paths: Sequence[Path], jobs: int, batch_size: int
) -> Iterator[_Result]:
    recognizer = settings.load()
    if jobs == 1 or len(paths) <= batch_size:
        yield from _transcribe(recognizer, paths, batch_size, settings.rules)
        return
    groups = [paths[i : i + batch_size] for i in range(0, len(paths), batch_size)]
    with ProcessPoolExecutor(jobs, get_context("spawn"), _prepare, (settings,)) as pool:
        for results in pool.map(_in_process, groups):
            yield from results


def _transcribe(
    recognizer: Recognizer, paths: Sequence[Path], batch_size: int, rules: EndpointRules
) -> Iterator[_Result]:
    results = recognizer.transcribe_batch(paths, batch_size=batch_size, endpoint=rules)
    for path, (_, result) in zip(paths, results, strict=True):
        yield path, result


_prepared: list[tuple[Recognizer, EndpointRules]] = []
"""The recogniser of a process of the pool, loaded once."""


def _prepare(settings: _Settings) -> None:
    _prepared[:] = [(settings.load(), settings.rules)]


def _in_process(paths: Sequence[Path]) -> list[_Result]:
    recognizer, rules = _prepared[0]
    return list(_transcribe(recognizer, paths, len(paths), rules))


def _progress(results: Iterator[_Result], total: int) -> Iterator[_Result]:
    if total < 2 or not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(results, "transcribing", total=total, console=console, transient=True)


def _stems(paths: Sequence[Path]) -> dict[Path, str]:
    """Name outputs after recordings, by their full name where two would collide."""
    names = [path.stem for path in paths]
    stems: dict[Path, str] = {}
    taken: set[str] = set()
    for path in paths:
        stem = path.stem if names.count(path.stem) == 1 else path.name
        number, unique = 1, stem
        while unique in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique)
        stems.setdefault(path, unique)
    return stems


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _complain(error: Error) -> None:
    click.echo(f"asr-gru: {error}", err=True)
