"""``asr-gru transcribe``: transcribe recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from asr_gru.audio import RawAudio, find_recordings
from asr_gru.audio.opening import is_pipe
from asr_gru.audio.pcm import ENCODINGS
from asr_gru.cli.interrupts import Interrupted, interruptible
from asr_gru.cli.options import (
    alternatives_option,
    check_confidence,
    confidence_options,
    endpoint_option,
    endpoint_rules,
    model_options,
    written_option,
)
from asr_gru.cli.outputs import Outputs
from asr_gru.cli.progress import AudioProgress
from asr_gru.cli.quiet import quiet_libraries
from asr_gru.cli.vocabulary import hot_word_option, phrase_options, read_closed, read_hot_words
from asr_gru.cli.workers import (
    Finished,
    Settings,
    transcribe_here,
    transcribe_in_workers,
)
from asr_gru.errors import ConfigError, Error
from asr_gru.formats import writer
from asr_gru.streaming.recordings import Update

__all__ = ["command"]


@click.command("transcribe")
@click.argument("recordings", nargs=-1, required=True)
@model_options
@phrase_options
@hot_word_option
@confidence_options
@written_option
@click.option(
    "--format",
    "formats",
    multiple=True,
    help="txt, srt, vtt, json, tsv, ctm or TextGrid; several with --output-dir.  [default: txt]",
)
@click.option(
    "--phones",
    is_flag=True,
    help="Print phones with times; short for --decoder phones --format ctm.",
)
@alternatives_option("JSON")
@click.option(
    "--output-dir", type=click.Path(path_type=Path), help="Write files instead of printing."
)
@endpoint_option()
@click.option("--raw-rate", type=int, help="Treat RECORDINGS as raw PCM of this sample rate in Hz.")
@click.option(
    "--raw-format",
    type=click.Choice([*ENCODINGS]),
    help="Sample format of raw PCM [s16le].",
)
@click.option("--raw-channels", type=int, help="Interleaved channels of raw PCM [1].")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    help="Number of processes; pipes are read by one.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1024),
    default=1,
    help="Recordings per call of the model.",
)
@click.pass_context
def command(
    context: click.Context,
    recordings: tuple[str, ...],
    model: str,
    backend: Literal["onnx", "torch"],
    device: str,
    threads: int,
    decoder: str | None,
    beam: int | None,
    phrases: Path | None,
    grammar: Path | None,
    rejection: float | None,
    hot_words: Path | None,
    minimum_confidence: float | None,
    mark_uncertain: bool,
    written: bool,
    phones: bool,
    formats: tuple[str, ...],
    alternatives: int | None,
    output_dir: Path | None,
    endpoint: str,
    raw_rate: int | None,
    raw_format: str | None,
    raw_channels: int | None,
    jobs: int,
    batch_size: int,
) -> int:
    """Transcribe RECORDINGS: files, folders, pipes, or - for standard input.

    Text is printed segment by segment; JSON of several recordings as one line each.
    """
    if phones:
        if decoder not in {None, "greedy", "phones"}:
            raise ConfigError("--phones has its own decoder; omit --decoder")
        if written:
            raise ConfigError("--phones prints what was spoken; leave --written out")
        decoder = decoder or "phones"
    closed = read_closed(phrases, grammar, rejection, decoder, beam)
    check_confidence(minimum_confidence, closed, mark=mark_uncertain)
    formats = formats or ("ctm" if phones else "txt",)
    for name in formats:
        writer(name)
    settings = Settings(
        model,
        backend,
        device,
        threads,
        decoder,
        beam,
        endpoint_rules(endpoint),
        closed,
        read_hot_words(hot_words, closed),
        minimum_confidence,
        mark_uncertain,
        written,
        alternatives,
    )
    if alternatives is not None and "json" not in formats:
        raise ConfigError("--alternatives are written to JSON alone; add --format json")
    if raw_rate is None and (raw_format is not None or raw_channels is not None):
        raise ConfigError("--raw-format and --raw-channels need --raw-rate")
    if len(set(formats)) > 1 and output_dir is None:
        raise ConfigError("several formats at once need --output-dir")
    with interruptible() as check, quiet_libraries(context):
        paths, failed = _find(recordings)
        if not paths:
            return 1
        sources: list[Path | RawAudio] = [*paths]
        if raw_rate is not None:
            raw = (raw_rate, raw_format or "s16le", 1 if raw_channels is None else raw_channels)
            sources = [RawAudio(path, *raw) for path in paths]
        if len(paths) <= batch_size or any(map(_is_pipe, paths)):
            jobs = 1
        with AudioProgress(paths) as progress:
            outputs = Outputs(paths, formats, output_dir, progress)

            def emit(message: Update | Finished) -> None:
                progress.update(message)
                outputs.take(message)
                check()

            try:
                if jobs == 1:
                    transcribe_here(settings, sources, batch_size, emit)
                else:
                    transcribe_in_workers(settings, sources, batch_size, jobs, emit)
            except Interrupted:
                outputs.interrupted()
                raise
    return int(failed or outputs.failed)


def _find(names: Sequence[str]) -> tuple[list[Path], bool]:
    """Return the recordings, each once, and whether a name had none."""
    paths: dict[Path, None] = {}
    failed = False
    for name in names:
        try:
            paths |= dict.fromkeys(find_recordings([name]))
        except Error as error:
            click.echo(f"asr-gru: {error}", err=True)
            failed = True
    return [*paths], failed


def _is_pipe(path: Path) -> bool:
    try:
        return is_pipe(path)
    except OSError:
        return False
