"""Puts the report of a run together from the files in its folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, name_manifests, read_manifest
from asr_gru.errors import AudioError, DataError, Error
from asr_gru.files import write_bytes
from asr_gru.text import Tokenizer, find_tokens, load_tokenizer
from asr_gru.training.checkpoint import Checkpoint, load_checkpoint, net_from_checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.hypotheses import read_hypotheses, recording_name
from asr_gru.training.metrics import METRICS_FILE, StepMetrics, read_metrics
from asr_gru.training.run_report.charts import draw_charts
from asr_gru.training.run_report.page import (
    facts,
    page,
    settings,
    validations,
    worst_utterances,
)
from asr_gru.training.run_report.posteriorgram import MAX_S, draw_posteriorgram, posteriorgram
from asr_gru.training.run_report.worst import ListResult, list_results

__all__ = ["REPORT_FILE", "report_finished_run", "write_report"]

REPORT_FILE = "report.html"
WORST = 10
"""Utterances shown of each validation set."""
PICTURES = 2
"""Posteriorgrams of each validation set."""
MAX_PICTURES = 8


def write_report(folder: Path, *, root: Path | None = None, output: Path | None = None) -> Path:
    """Write the report of a run as one HTML file, and return its path.

    Args:
        folder: folder of the run.
        root: folder that the paths of its configuration are relative to. Without it, there are no
            posteriorgrams, which need the recordings.
        output: the file, by default ``report.html`` in ``folder``.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ModelError: the folder has no checkpoint, or it is damaged.
        OSError: a file of the run cannot be read, or the report cannot be written.
    """
    state = load_checkpoint(folder)
    metrics = read_metrics(folder / METRICS_FILE)
    charts = draw_charts(metrics, state.history, state.config.optimiser.clip)
    results = list_results(read_hypotheses(folder), WORST)
    unit = "phones" if state.config.data.tokens == "phones" else "words"
    if root is None:
        pictures: dict[tuple[str, str], str] = {}
        note = "Posteriorgrams need the recordings: asr-gru report RUN --root FOLDER."
    else:
        pictures, note = _pictures(folder, state, results, root)
    tokens = find_tokens(folder)
    tokenizer = None if tokens is None else load_tokenizer(tokens)
    sections = {
        "Summary": facts(_facts(state, metrics, tokenizer)),
        "Worst utterances of the last validation": worst_utterances(results, unit, pictures, note),
        "Validations": validations(state.history),
        "Configuration": settings(_settings(state.config)),
    }
    path = folder / REPORT_FILE if output is None else output
    title = f"Training run {_plain(folder.resolve().name)}"
    write_bytes(path, page(title, sections, charts).encode("utf-8", "replace"))
    return path


def report_finished_run(folder: Path, root: Path, log: Callable[[str], None]) -> None:
    """Write the report at the end of a run; if that is impossible, one line says why."""
    try:
        log(f"report: {write_report(folder, root=root)}")
    except Error as error:
        log(f"no report: {error}")
    except OSError as error:
        log(f"no report: {error.filename}: {error.strerror}")


def _facts(
    state: Checkpoint, metrics: Sequence[StepMetrics], tokenizer: Tokenizer | None
) -> dict[str, str]:
    """Return what the report begins with."""
    values: dict[str, str] = {}
    mean = next(
        (key for row in state.history for key in row if key in ("mean WER", "mean PER")), None
    )
    if mean is not None:
        rates = [row[mean] for row in state.history if mean in row]
        values[f"Last {mean[5:]}"] = f"{rates[-1]:.2f} %"
        values[f"Best {mean[5:]}"] = f"{min(rates):.2f} %"
    epochs = metrics[-1].epoch if metrics else float(state.epoch)
    values["Epochs"] = f"{epochs:.4g}"
    values["Steps"] = f"{metrics[-1].step if metrics else state.global_step:,}"
    audio_s, seconds = (sum(getattr(row, key) for row in metrics) for key in ("audio_s", "seconds"))
    if seconds:
        values["Audio trained on"] = f"{audio_s / 3600:.4g} h"
        values["Time in steps"] = _duration(seconds)
        values["Speed"] = f"{audio_s / seconds:.0f} h of audio per hour"
        values["Skipped steps"] = str(sum(row.skipped for row in metrics))
    parameters = [w for name, w in state.weights.items() if not name.startswith("level.")]
    values["Parameters"] = f"{sum(weight.numel() for weight in parameters):,}"
    encoder = state.config.encoder
    values["Network"] = f"{encoder.layers} {encoder.cell.upper()} layers of {encoder.width}"
    values["Direction"] = encoder.direction
    kind = "tokens" if tokenizer is None else tokenizer.kind
    values["Tokens"] = f"{state.vocab_size} ({kind} and blank)"
    values["Kernel"] = state.config.gru_kernel
    return values


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _settings(config: TrainConfig) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return each table of the configuration: the values, and whether they are the defaults."""
    tables: dict[str, dict[str, tuple[str, bool]]] = {"": {}}
    for field in msgspec.structs.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, msgspec.Struct):
            tables[field.name] = {
                inner.name: _setting(getattr(value, inner.name), inner)
                for inner in msgspec.structs.fields(value)
            }
        else:
            tables[""][field.name] = _setting(value, field)
    return tables


def _setting(value: Any, field: msgspec.structs.FieldInfo) -> tuple[str, bool]:
    factory = field.default_factory
    default = field.default if factory is msgspec.NODEFAULT else factory()
    return _plain(msgspec.json.encode(msgspec.to_builtins(value)).decode()), value == default


def _pictures(
    folder: Path, state: Checkpoint, results: Sequence[ListResult], root: Path
) -> tuple[dict[tuple[str, str], str], str]:
    """Draw posteriorgrams of the worst utterances; return them by set and recording, and a note."""
    wanted = [
        (result.name, one.utterance.recording)
        for result in results
        for one in result.worst[:PICTURES]
    ][:MAX_PICTURES]
    tokens = find_tokens(folder)
    if not wanted or tokens is None:
        return {}, ""
    symbols = load_tokenizer(tokens).symbols
    drawn: dict[tuple[str, str], str] = {}
    problem = ""
    try:
        utterances = _validation_utterances(state.config, root)
        net = net_from_checkpoint(state)
    except (DataError, OSError) as error:
        return {}, f"Without posteriorgrams: {_plain(str(error))}."
    except RuntimeError:  # weights of a network of one's own
        return {}, "Without posteriorgrams: the network is not that of the configuration."
    for number, key in enumerate(wanted):
        try:
            samples = load_audio(utterances[key], state.config.frontend.sample_rate)
        except (AudioError, KeyError) as error:
            missing = f"{key[1]} is not in the manifest"
            problem = f" Missing: {missing if isinstance(error, KeyError) else error}."
            continue
        shown = posteriorgram(net, samples, symbols)
        drawn[key] = draw_posteriorgram(shown, f"posteriorgram{number}")
    text = (
        f"For the first {PICTURES} of each list, log-mel energies above the probabilities that "
        f"the network gives to tokens; at most {MAX_S:.0f} s."
    )
    return drawn, (text if drawn else "") + _plain(problem)


def _validation_utterances(config: TrainConfig, root: Path) -> Mapping[tuple[str, str], Utterance]:
    """Return the utterances of the validation sets by the names of set and recording."""
    manifests = config.data.validation
    return {
        (name, recording_name(utterance, root)): utterance
        for name, manifest in zip(name_manifests(manifests), manifests, strict=True)
        for utterance in read_manifest(root / manifest)
    }


def _plain(text: str) -> str:
    """Return text without the surrogates of names that are not UTF-8."""
    return os.fsencode(text).decode("utf-8", "replace")
