"""``asr-gru tune``: tune the decoding parameters of a model."""

from __future__ import annotations

from pathlib import Path

import click

from asr_gru.errors import ModelError

__all__ = ["command"]


@click.command("tune")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--limit", type=click.IntRange(1), help="Use only this many utterances per list, evenly spaced."
)
@click.option(
    "--parameter",
    "--knob",
    "knobs",
    multiple=True,
    type=click.Choice(["language_weight", "blank_bias", "word_bonus"]),
    help="Parameter to tune; may be repeated, in order.  [default: all]",
)
@click.option("--rounds", type=click.IntRange(1, 10), default=2, show_default=True)
@click.option("--dry-run", is_flag=True, help="Print only; leave the model as it is.")
def command(
    model: Path,
    manifests: tuple[Path, ...],
    limit: int | None,
    knobs: tuple[str, ...],
    rounds: int,
    dry_run: bool,
) -> None:
    """Tune decoding parameters of MODEL on MANIFESTS, and save the best in MODEL.

    Use development sets only, never a test set.
    """
    from asr_gru.backends import load_acoustic_model
    from asr_gru.data.manifest import read_manifest
    from asr_gru.decoders import Decoders, configured
    from asr_gru.decoding import TreeSearch
    from asr_gru.model.directory import ModelDirectory, write_model_directory
    from asr_gru.tuning import STEPS, Trial, coordinate_search, hear

    directory = ModelDirectory.open(str(model))
    decoder = Decoders(directory).get("words")
    if not isinstance(decoder, TreeSearch):
        raise ModelError(f"{model}: has no lexicon to search for words; export it with --lexicon")
    acoustic = load_acoustic_model(directory)
    lists = {}
    for manifest in manifests:
        utterances = read_manifest(manifest)
        step = max(1, len(utterances) // limit) if limit else 1
        lists[manifest.stem] = hear(acoustic, utterances[::step])
    names = list(knobs or STEPS)
    click.echo("".join(f"{name:>16}" for name in [*names, *lists, "mean WER %"]))

    def show(trial: Trial) -> None:
        values = [f"{getattr(trial.knobs, name):16.3f}" for name in names]
        rates = [f"{rate:16.2f}" for rate in [*trial.rates.values(), trial.mean]]
        click.echo("".join(values + rates))

    first: list[Trial] = []

    def on_trial(trial: Trial) -> None:
        first.append(trial)
        show(trial)

    best = coordinate_search(decoder, lists, names, rounds=rounds, on_trial=on_trial)
    click.echo(f"best, WER {first[0].mean - best.mean:.2f} points below the first:")
    show(best)
    if not dry_run and best.knobs != decoder.knobs:
        files = {name: (directory.path / name).read_bytes() for name in directory.config.files}
        write_model_directory(directory.path, configured(directory.config, best.knobs), files)
        click.echo(f"written to {directory.path}")
