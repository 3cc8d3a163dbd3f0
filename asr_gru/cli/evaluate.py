"""``asr-gru evaluate``: word error rates and the errors behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from asr_gru.cli.options import endpoint_option, endpoint_rules, model_options, normaliser_option
from asr_gru.cli.terminal import count_progress, left_out
from asr_gru.data.manifest import check_files, evenly_spread, name_manifests, read_manifest
from asr_gru.errors import ConfigError
from asr_gru.evaluation import Evaluation, UtteranceResult, evaluate
from asr_gru.model.directory import ModelDirectory, write_model_config
from asr_gru.recognizer import Recognizer
from asr_gru.scoring import Comparison, compare

__all__ = ["command"]

LINE_LENGTH = 100
"""Columns; longer utterances are printed in several pairs of lines."""


@click.command("evaluate")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_options
@normaliser_option("Normalisation of references and hypotheses before scoring.")
@endpoint_option("off", "As for transcribe; off decodes whole utterances.")
@click.option(
    "--limit", type=click.IntRange(1), help="Evaluate only this many utterances, evenly spaced."
)
@click.option(
    "--worst",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Number of utterances with the most errors to print.",
)
@click.option(
    "--compare",
    "other_model",
    metavar="MODEL",
    help="Evaluate this model as well, and say whether the difference is significant.",
)
@click.option(
    "--record",
    is_flag=True,
    help="Write the word error rates to the model, for asr-gru models.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    manifests: tuple[Path, ...],
    model: str,
    backend: Literal["onnx", "torch"],
    device: str,
    threads: int,
    decoder: str | None,
    beam: int | None,
    normaliser: Literal["none", "basic", "english"],
    endpoint: str,
    other_model: str | None,
    limit: int | None,
    worst: int,
    record: bool,
    as_json: bool,
) -> int:
    """Print word and character error rates on MANIFESTS (docs/own-data.md)."""
    as_it_is = ("onnx", None, None, None, "off", "english")
    if record and (backend, decoder, beam, limit, endpoint, normaliser) != as_it_is:
        raise ConfigError(
            "--record writes the rates of the model as it is, on whole lists; leave out "
            "--backend, --decoder, --beam, --limit, --endpoint and --normaliser"
        )
    rules = endpoint_rules(endpoint)
    lists = {}
    for name, manifest in zip(name_manifests(manifests), manifests, strict=True):
        utterances = read_manifest(manifest)
        check_files(utterances)
        lists[name] = utterances if limit is None else evenly_spread(utterances, limit)
    recognizers = [
        Recognizer.load(
            name, backend=backend, device=device, threads=threads, decoder=decoder, beam=beam
        )
        for name in ((model,) if other_model is None else (model, other_model))
    ]

    def evaluate_with(recognizer: Recognizer) -> dict[str, Evaluation]:
        found = {}
        for name, utterances in lists.items():
            with count_progress(name, len(utterances)) as update:
                found[name] = evaluate(
                    recognizer,
                    utterances,
                    normaliser=normaliser,
                    endpoint=rules,
                    on_progress=update,
                )
        return found

    results = evaluate_with(recognizers[0])
    unreadable = [problem for result in results.values() for problem in result.unreadable]
    for problem in unreadable:
        left_out(problem)
    if record and unreadable:
        click.echo("the rates were not recorded, as recordings were left out", err=True)
    elif record:
        directory = ModelDirectory.open(model)
        rates = {name: round(result.words.rate, 2) for name, result in results.items()}
        write_model_config(
            directory, msgspec.structs.replace(directory.config, word_error_rates=rates)
        )
    others = [evaluate_with(recognizer) for recognizer in recognizers[1:]]
    comparisons = {
        name: compare(
            [one.words for one in results[name].results], [one.words for one in result.results]
        )
        for other in others
        for name, result in other.items()
    }
    if as_json:
        documents = {name: _document(result, worst) for name, result in results.items()}
        for name, comparison in comparisons.items():
            documents[name]["comparison"] = _comparison_document(others[0][name], comparison)
        click.echo(json.dumps(documents, indent=2))
        return int(bool(unreadable))
    _table(results)
    for other in others:
        click.echo(f"\n{other_model}:")
        _table(other)
        _comparison_table(comparisons)
    for name, result in results.items():
        _details(name, result, worst)
    return int(bool(unreadable))


def _table(results: dict[str, Evaluation]) -> None:
    click.echo(f"{'list':20} {'utt.':>5} {'words':>6} {'WER %':>6} {'95 %':>13} {'CER %':>6}  RTF")
    for name, result in results.items():
        low, high = result.interval
        click.echo(
            f"{name:20} {len(result.results):5} {result.words.words:6} {result.words.rate:6.2f} "
            f"{f'{low:.1f}-{high:.1f}':>13} {result.characters.rate:6.2f}  "
            f"{result.real_time_factor:.4f}"
        )
    if len(results) > 1:
        words = sum(result.words.rate for result in results.values()) / len(results)
        characters = sum(result.characters.rate for result in results.values()) / len(results)
        click.echo(f"{'mean':20} {'':5} {'':6} {words:6.2f} {'':13} {characters:6.2f}")


def _comparison_table(comparisons: dict[str, Comparison]) -> None:
    click.echo(f"\n{'difference':20} {'points':>7} {'95 %':>13}  (paired bootstrap)")
    for name, comparison in comparisons.items():
        low, high = comparison.interval
        interval = f"{low:+.1f} to {high:+.1f}"
        verdict = "significant" if comparison.significant else "not significant"
        click.echo(
            f"{name:20} {comparison.difference:+7.2f} {interval:>13}  {verdict}, "
            f"better in {100 * comparison.improvement_prob:.1f} % of the samples"
        )


def _comparison_document(other: Evaluation, comparison: Comparison) -> dict[str, Any]:
    low, high = comparison.interval
    return {
        "word_error_rate": round(other.words.rate, 3),
        "difference": round(comparison.difference, 3),
        "interval": [round(low, 3), round(high, 3)],
        "improvement_prob": round(comparison.improvement_prob, 4),
        "significant": comparison.significant,
    }


def _details(name: str, result: Evaluation, worst: int) -> None:
    score = result.words
    click.echo(
        f"\n{name}: {score.substitutions} substitutions, {score.deletions} deletions, "
        f"{score.insertions} insertions"
    )
    common = ", ".join(
        f"{reference or '(nothing)'} > {hypothesis or '(nothing)'} {count}"
        for (reference, hypothesis), count in result.confusions(8)
    )
    click.echo(f"most frequent errors: {common}")
    for one in result.worst(worst):
        click.echo(f"{one.utterance.key.name}: {one.words.errors} errors\n{_aligned(one)}")


def _aligned(one: UtteranceResult) -> str:
    """Return the reference above the hypothesis, word by word, in lines of ``LINE_LENGTH``."""
    lines: list[list[str]] = []
    width = LINE_LENGTH
    for pair in one.aligned:
        reference, hypothesis = (word or "*" for word in pair)
        longest = max(len(reference), len(hypothesis))
        if width + 1 + longest > LINE_LENGTH:
            lines += [["  ref "], ["  hyp "]]
            width = len("  ref ")
        lines[-2].append(reference.ljust(longest))
        lines[-1].append(hypothesis.ljust(longest))
        width += 1 + longest
    return "\n".join(" ".join(words).rstrip() for words in lines)


def _document(result: Evaluation, worst: int) -> dict[str, Any]:
    low, high = result.interval
    return {
        "utterances": len(result.results),
        "words": result.words.words,
        "word_error_rate": round(result.words.rate, 3),
        "interval": [round(low, 3), round(high, 3)],
        "character_error_rate": round(result.characters.rate, 3),
        "substitutions": result.words.substitutions,
        "deletions": result.words.deletions,
        "insertions": result.words.insertions,
        "real_time_factor": round(result.real_time_factor, 5),
        "unreadable": list(result.unreadable),
        "confusions": [
            [reference, hypothesis, n] for (reference, hypothesis), n in result.confusions(50)
        ],
        "worst": [
            {"path": str(one.utterance.key), "said": one.reference, "heard": one.hypothesis}
            for one in result.worst(worst)
        ],
    }
