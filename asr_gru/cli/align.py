"""``asr-gru align``: align a text with a recording, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from asr_gru.cli.interrupts import interruptible
from asr_gru.cli.options import THREADS_HELP
from asr_gru.cli.outputs import check_folder, name_outputs
from asr_gru.cli.progress import AudioProgress
from asr_gru.cli.quiet import quiet_libraries
from asr_gru.cli.workers import Finished
from asr_gru.data.audio import load_audio
from asr_gru.data.utterance import Utterance
from asr_gru.errors import ConfigError, DataError, Error
from asr_gru.files import read_text, readable_name, write_bytes
from asr_gru.formats import format_alignment, writer
from asr_gru.model.info import DEFAULT_MODEL
from asr_gru.streaming.recordings import Update

if TYPE_CHECKING:
    from asr_gru.language import Lexicon
    from asr_gru.recognizer import Recognizer
    from asr_gru.results import Alignment
    from asr_gru.streaming.recordings import AudioInput

__all__ = ["command"]

MAX_CHARACTERS = 50_000_000
MAX_SHOWN = 10
"""Mismatches shown without ``--report``."""


class _Job(NamedTuple):
    text: str
    audio: Path
    segment: Utterance | None = None
    """The segment of a manifest; None aligns the whole recording."""

    @property
    def output(self) -> Path:
        """Path that outputs are named after."""
        if self.segment is None or self.segment.start_s is None:
            return self.audio
        path, start_s = self.segment.path, self.segment.start_s
        end_s = start_s + self.segment.duration_s
        return path.with_name(f"{path.stem}-{start_s:.3f}-{end_s:.3f}{path.suffix}")


@click.command("align")
@click.argument("text", required=False, type=click.Path(path_type=Path))
@click.argument("audio", required=False, type=click.Path(path_type=Path))
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Align the recordings of this manifest instead; needs --output-dir.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    help="TextGrid, ctm, json, srt, vtt, tsv or txt; several with --output-dir.  [default: ctm]",
)
@click.option("--phones", is_flag=True, help="Write phones, not words, in ctm.")
@click.option(
    "--output-dir", type=click.Path(path_type=Path), help="Write files instead of to stdout."
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="Write the places where text and audio differ to this file (.tsv).",
)
@click.option(
    "--lexicon",
    type=click.Path(path_type=Path),
    help="Pronunciation dictionary, lines of WORD PH ON ES  [the model's own].",
)
@click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="Bundled model, or a folder."
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help=THREADS_HELP)
@click.pass_context
def command(
    context: click.Context,
    text: Path | None,
    audio: Path | None,
    manifests: tuple[Path, ...],
    formats: tuple[str, ...],
    phones: bool,
    output_dir: Path | None,
    report: Path | None,
    lexicon: Path | None,
    model: str,
    threads: int,
) -> int:
    """Find when each word of TEXT, a text file, is spoken in AUDIO, a recording of it.

    Recordings may last hours. Words that are not spoken and speech that is not in the text are
    reported.
    """
    formats = tuple(dict.fromkeys(formats)) or ("ctm",)
    for form in formats:
        writer(form)
    if phones and formats != ("ctm",):
        raise ConfigError("--phones is for ctm only; TextGrid and json always contain the phones")
    if output_dir is None and (len(formats) > 1 or manifests):
        raise ConfigError("several formats or recordings need --output-dir")
    jobs = _jobs(text, audio, manifests)
    if output_dir is not None:
        check_folder(output_dir)
    if report is not None:
        _check_report(report)
    with interruptible() as check, quiet_libraries(context):
        from asr_gru.recognizer import Recognizer

        recognizer = Recognizer.load(model, threads=threads)
        own = _read_lexicon(lexicon, recognizer) if lexicon else None
        names = name_outputs([job.output for job in jobs])
        lines = ["recording\tstart_s\tend_s\tkind\ttext\theard"]
        failed = False
        with AudioProgress([job.audio for job in jobs]) as progress:
            for index, (job, name) in enumerate(zip(jobs, names, strict=True)):

                def on_progress(seconds: float, index: int = index) -> None:
                    progress.update(Update(index, (), seconds, None))
                    check()

                try:
                    source, rate = _audio(job, recognizer.acoustic.info.sample_rate)
                    found = recognizer.align(
                        job.text, source, rate, lexicon=own, on_progress=on_progress
                    )
                except Error as error:
                    if not manifests:
                        raise
                    named = "" if str(job.audio) in str(error) else f"{job.audio}: "
                    progress.write(f"asr-gru: {named}{error}\n", err=True)
                    failed = True
                    continue
                progress.update(Finished(index, found.transcript))
                for form in formats:
                    written = format_alignment(found, form, readable_name(name.name), phones=phones)
                    if output_dir is None:
                        progress.write(written)
                    else:
                        path = output_dir / name.with_name(f"{name.name}.{form}")
                        path.parent.mkdir(parents=True, exist_ok=True)
                        write_bytes(path, written.encode())
                lines += _report_lines(found, job.audio)
                for line in _notices(found, is_reported=report is not None):
                    progress.write(f"asr-gru: {job.audio}: {line}\n", err=True)
        if report is not None:
            write_bytes(report, ("\n".join(lines) + "\n").encode())
    return int(failed)


def _check_report(path: Path) -> None:
    """Raise an error before an hour is recognised, unless a report can be written to ``path``."""
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: no such folder; make it first")
    check_folder(path.parent)


def _jobs(text: Path | None, audio: Path | None, manifests: Sequence[Path]) -> list[_Job]:
    from asr_gru.data.manifest import read_manifest

    if manifests:
        if text is not None:
            raise ConfigError("TEXT beside --manifest, whose texts are aligned; give one of them")
        utterances = [one for manifest in manifests for one in read_manifest(manifest)]
        if not utterances:
            raise DataError(f"{manifests[0]}: no recordings; there is nothing to align")
        return [
            _Job(one.written or one.text, one.key, None if one.start_s is None else one)
            for one in utterances
        ]
    if text is None or audio is None:
        raise ConfigError("give TEXT and AUDIO, or --manifest")
    if text.is_dir():
        raise ConfigError(
            f"{text}: a folder; give a text file, or align a training corpus with align-corpus"
        )
    return [
        _Job(read_text(text, "give a text file", max_characters=MAX_CHARACTERS, stdin=True), audio)
    ]


def _audio(job: _Job, sample_rate: int) -> tuple[AudioInput, int | None]:
    """Return a recording or the samples of a segment, and the sample rate of samples."""
    if job.segment is None:
        return job.audio, None
    return load_audio(job.segment, sample_rate), sample_rate


def _read_lexicon(path: Path, recognizer: Recognizer) -> Lexicon:
    from asr_gru.language import Lexicon

    phones = recognizer.tokenizer.symbols[1:]
    entries = Lexicon.read_text(path, phones).entries()
    return Lexicon.build([(word.lower(), spoken) for word, spoken in entries], phones)


def _report_lines(found: Alignment, audio: Path) -> Iterator[str]:
    for one in found.mismatches:
        fields = (
            readable_name(audio),
            f"{one.start_s:.2f}",
            f"{one.end_s:.2f}",
            one.kind,
            " ".join(one.text.split()),
            one.heard,
        )
        yield "\t".join(str(field).replace("\t", " ") for field in fields)


def _notices(found: Alignment, *, is_reported: bool) -> Iterator[str]:
    if found.unpronounceable:
        words = " ".join(map(repr, found.unpronounceable[:MAX_SHOWN]))
        yield f"cannot be pronounced: {words}; give a --lexicon with them"
    shown = [] if is_reported else found.mismatches[:MAX_SHOWN]
    for one in shown:
        where = f"{one.start_s:.2f} to {one.end_s:.2f} s"
        if one.kind == "text":
            yield f"{where}: not spoken: {_short(one.text)}"
        elif one.kind == "audio":
            yield f"{where}: not in the text: {_short(one.heard)}"
        else:
            yield f"{where}: {_short(one.text)} in the text, {_short(one.heard)} in the audio"
    if len(found.mismatches) > len(shown):
        count = len(found.mismatches)
        yield f"{count} place{'s' * (count > 1)} where text and audio differ"


def _short(text: str) -> str:
    words = text.split()
    return repr(" ".join(words if len(words) <= 8 else [*words[:4], "...", *words[-3:]]))
