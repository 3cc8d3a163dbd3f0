"""``asr-gru tune``: tune the decoding parameters of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr_gru.cli.terminal import left_out
from asr_gru.errors import ConfigError, ModelError, did_you_mean

if TYPE_CHECKING:
    from asr_gru.decoding import TreeSearch, TreeSearchParameters
    from asr_gru.model.directory import ModelDirectory
    from asr_gru.tuning import EncodedUtterance

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
    "parameters",
    multiple=True,
    type=click.Choice(["language_weight", "blank_bias", "word_bonus"]),
    help="Parameter to tune; may be repeated, in order.  [default: all]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Start from this value of any search parameter, such as blank_skip=0.8; may be repeated.",
)
@click.option("--rounds", type=click.IntRange(1, 10), default=2, show_default=True)
@click.option(
    "--confidence", is_flag=True, help="Fit confidences of words instead (docs/python.md)."
)
@click.option("--dry-run", is_flag=True, help="Print only; leave the model as it is.")
def command(
    model: Path,
    manifests: tuple[Path, ...],
    limit: int | None,
    parameters: tuple[str, ...],
    settings: tuple[str, ...],
    rounds: int,
    confidence: bool,
    dry_run: bool,
) -> None:
    """Tune decoding parameters of MODEL on MANIFESTS, and save the best in MODEL.

    With --confidence, fit confidences of words to the probability that they are right; the
    calibration errors printed are cross-validated, on speakers that the fit leaves out.

    Use development sets only, never a test set.
    """
    from asr_gru.backends import load_acoustic_model
    from asr_gru.data.manifest import evenly_spread, name_manifests, read_manifest
    from asr_gru.decoder_config import with_search_parameters
    from asr_gru.decoders import Decoders
    from asr_gru.decoding import TreeSearch
    from asr_gru.model.directory import ModelDirectory, write_model_config
    from asr_gru.tuning import STEPS, Trial, coordinate_search, run_acoustic_model

    directory = ModelDirectory.open(str(model))
    decoder = Decoders(directory).get("words")
    if not isinstance(decoder, TreeSearch):
        raise ModelError(f"{model}: has no lexicon to search for words; export it with --lexicon")
    original = decoder.parameters
    decoder = decoder.tuned(_changed(original, settings))
    acoustic = load_acoustic_model(directory)
    lists, speakers = {}, {}
    for name, manifest in zip(name_manifests(manifests), manifests, strict=True):
        utterances = read_manifest(manifest)
        if limit is not None:
            utterances = evenly_spread(utterances, limit)
        lists[name] = run_acoustic_model(acoustic, utterances, left_out)
        speakers[name] = [one.speaker for one in lists[name]]
    if confidence:
        _fit_confidence(directory, decoder, lists, speakers=speakers, dry_run=dry_run)
        return
    names = list(parameters or STEPS)
    click.echo("".join(f"{name:>16}" for name in [*names, *lists, "mean WER %"]))

    def show(trial: Trial) -> None:
        values = [f"{getattr(trial.parameters, name):16.3f}" for name in names]
        rates = [f"{rate:16.2f}" for rate in [*trial.rates.values(), trial.mean]]
        click.echo("".join(values + rates))

    first: list[Trial] = []

    def on_trial(trial: Trial) -> None:
        first.append(trial)
        show(trial)

    best = coordinate_search(decoder, lists, names, rounds=rounds, on_trial=on_trial)
    click.echo(f"best, WER {first[0].mean - best.mean:.2f} points below the first:")
    show(best)
    if not dry_run and best.parameters != original:
        write_model_config(directory, with_search_parameters(directory.config, best.parameters))
        click.echo(f"written to {directory.path}")


def _changed(parameters: TreeSearchParameters, settings: Sequence[str]) -> TreeSearchParameters:
    """Return parameters with the values of ``--set``."""
    from asr_gru.model.search_parameters import PARAMETERS

    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write it as NAME=VALUE, such as blank_skip=0.8")
        if name not in PARAMETERS:
            known = did_you_mean(name, PARAMETERS)
            raise ConfigError(f"--set {setting}: unknown parameter {name!r}{known}")
        try:
            values[name] = type(PARAMETERS[name].default)(text)
        except ValueError:
            raise ConfigError(f"--set {setting}: {text!r} is not a number") from None
    return replace(parameters, **values)


def _fit_confidence(
    directory: ModelDirectory,
    decoder: TreeSearch,
    lists: Mapping[str, Sequence[EncodedUtterance]],
    *,
    speakers: Mapping[str, Sequence[str]],
    dry_run: bool,
) -> None:
    """Fit the confidences, print their calibration errors, and write the weights."""
    import msgspec

    from asr_gru.calibration import (
        calibration_error,
        confidences,
        cross_entropy,
        cross_validated,
        fit_confidence,
        recognized_words,
    )
    from asr_gru.model.config import ConfidenceWeights
    from asr_gru.model.directory import write_model_config

    numbers: dict[str, int] = {}
    words = {
        name: recognized_words(decoder, heard, speakers[name], numbers)
        for name, heard in lists.items()
    }
    weights = fit_confidence(list(words.values()))
    held_out = cross_validated(words)
    config = directory.config
    before = config.confidence or ConfidenceWeights(weakest=1.0 / config.temperature)
    click.echo(
        "calibration error, and cross-entropy in nats per word; fitted: of speakers held out"
    )
    columns = ("ECE now", "ECE fitted", "CE now", "CE fitted")
    click.echo(f"{'list':20} {'words':>7} {'right %':>8}" + "".join(f"{c:>11}" for c in columns))
    for name, one in words.items():
        both = (confidences(before, one), held_out[name])
        measures = (calibration_error, cross_entropy)
        cells = "".join(f"{measure(c, one.right):11.3f}" for measure in measures for c in both)
        share = 100 * one.right.mean()
        click.echo(f"{name:20} {len(one.right):7} {share:8.1f}{cells}")
    own = msgspec.structs.asdict(weights)
    click.echo(" ".join(f"{name} {value:g}" for name, value in own.items()))
    if not dry_run:
        write_model_config(directory, msgspec.structs.replace(config, confidence=weights))
        click.echo(f"written to {directory.path}")
