"""``asr-gru convert-manifest``: convert manifests between formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from asr_gru.cli.terminal import count_progress, left_out
from asr_gru.data.audio import duration_of
from asr_gru.data.manifest import Utterance, check_files, read_manifest, write_manifest
from asr_gru.errors import AudioError, ConfigError, DataError

__all__ = ["command"]

PATH = click.Path(path_type=Path)
SUFFIXES = (".tsv", ".jsonl", ".json")


@click.command("convert-manifest")
@click.argument("manifests", nargs=-1, required=True, type=PATH)
@click.argument("output", type=PATH)
@click.option(
    "--root", type=PATH, help="Folder of relative paths (default: that of each manifest)."
)
@click.option("--force", is_flag=True, help="Replace OUTPUT if it exists.")
def command(manifests: tuple[Path, ...], output: Path, root: Path | None, force: bool) -> int:
    """Write the utterances of MANIFESTS to OUTPUT: a table (.tsv) or NeMo's JSON lines (.jsonl).

    MANIFESTS may be tables, lists of Common Voice, JSON lines of NeMo or lhotse, data directories
    of Kaldi and parts of LibriSpeech. Durations that they lack are read from the recordings.
    """
    if output.suffix not in SUFFIXES:
        raise ConfigError(f"{output}: write a .tsv or .jsonl")
    if output.exists() and not force:
        raise ConfigError(f"{output}: exists; give another name, or --force")
    if not output.parent.is_dir():
        raise ConfigError(f"{output.parent}: no such folder; make it first")
    utterances = [one for path in manifests for one in read_manifest(path, root=root)]
    check_files(utterances)
    measured = _with_durations(utterances)
    if not measured:
        raise DataError(f"{manifests[0]}: no recordings that can be read; nothing was written")
    write_manifest(output, measured)
    hours = sum(utterance.duration_s for utterance in measured) / 3600
    click.echo(f"{output}: {len(measured)} utterances, {hours:.2f} hours")
    return int(len(measured) < len(utterances))


def _with_durations(utterances: Sequence[Utterance]) -> list[Utterance]:
    found = []
    with count_progress("reading durations", len(utterances)) as update:
        for number, utterance in enumerate(utterances, 1):
            try:
                found.append(replace(utterance, duration_s=round(duration_of(utterance), 3)))
            except AudioError as error:
                left_out(str(error))
            update(number)
    return found
