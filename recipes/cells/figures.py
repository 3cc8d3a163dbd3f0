"""All figures of the report, as one JSON object, and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asr_gru.errors import ConfigError
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import acoustic_info
from asr_gru.results import Word
from asr_gru.scoring import Score, compare
from asr_gru.text import Tokenizer
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.config import GruKernel, TrainConfig
from asr_gru.training.dataset import TrainingSet, read_utterances
from asr_gru.training.distributed import init_processes
from asr_gru.training.initialise import random_net
from asr_gru.training.prepare import prepare
from asr_gru.training.recipe import Stage
from asr_gru.training.report import Report
from asr_gru.training.run import Run
from asr_gru.training.validate import RATE_NAMES
from recipes.cells.gates import net_gates
from recipes.cells.gradients import features_of, net_reach, scale_recurrence, string_together
from recipes.cells.measure import (
    align_words,
    bundled_search,
    gate_figures,
    inference_speed,
    parameters,
    read_curves,
    training_speeds,
    utterance_scores,
    word_scores,
)
from recipes.cells.pictures import draw_errors, draw_gates, draw_gradients, draw_training
from recipes.cells.rows import ATTENTION, differences, load_trained, net_builder
from recipes.cells.verdicts import baseline

__all__ = ["Measurement", "measure"]

MAIN_ROWS = ("gru", "lstm", "rnn", "lstm-narrow", "rnn-wide", "gru-conv", ATTENTION)
REACH_ROWS = (
    *("gru", "lstm", "rnn", "gru-uniform", "lstm-uniform", "rnn-uniform", "gru-conv"),
    ATTENTION,
)
LEVEL = 0.99
"""Confidence level of differences: among two dozen rows, one in twenty would differ by luck."""
SCALES = (0.5, 1.5, 2.0)
"""Factors of recurrent matrices; ``pictures.STYLES`` has a line for each."""
SEQUENCES = 16
"""Strings of recordings along which gradients are followed back."""
POINTS = 100
"""Points of a training curve that are kept."""
SENTENCE_S = (2.5, 4.5)
"""Duration of the sentence whose gates are drawn."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured.

    Attributes:
        rows: the trained rows.
        run: where they were trained.
        pictures: folder that receives the pictures.
        frames: output frames to follow gradients back.
        repeats: rounds of each speed measurement.
    """

    rows: Sequence[Stage]
    run: Run
    pictures: Path
    frames: int
    repeats: int


def measure(plan: Measurement, log: Callable[[str], None]) -> dict[str, Any]:
    """Return the figures of all rows, and draw the pictures.

    Raises:
        ConfigError: all rows diverged.
    """
    config = plan.rows[0].config
    run = Run(plan.run.folder / plan.rows[0].name, plan.run.root, plan.run.cache)
    tokenizer, training_set, validation = prepare(
        config, run, init_processes(), Report(None, lambda _line: None)
    )
    corpus = next(iter(validation.values()))
    loaded = {row.name: load_trained(plan.run.folder, row.name) for row in plan.rows}
    nets = {name: net for name, net in loaded.items() if net is not None}
    if not nets:
        raise ConfigError(
            f"nothing to compare: {', '.join(loaded)} diverged; add rows that are clipped (--rows)"
        )
    rows = _rows(plan, nets, corpus, tokenizer, log)
    rate = RATE_NAMES[tokenizer.kind]
    spoken = read_utterances(config.data.validation, run.root, config.data)
    by_key = {utterance.key: utterance.text for utterance in spoken}
    texts = [by_key[utterance.key] for utterance in corpus.utterances]
    if tokenizer.kind == "phones":
        _words(rows, nets, corpus, texts, tokenizer, log)
    log("gradients")
    reach = _reach(plan, nets, corpus)
    log("speed")
    speed = _speed(plan, nets, training_set, corpus)
    figures: dict[str, Any] = {
        "rate": rate,
        "epochs": config.epochs,
        "level": LEVEL,
        "frames": plan.frames,
        "frame_ms": 1000 * config.net.frame_samples / config.frontend.sample_rate,
        "step_ms": _step_ms(next(iter(nets.values()))),
        "data": {
            "train_utterances": len(training_set.kept),
            "train_hours": float(training_set.durations_s.sum()) / 3600,
            "dev_utterances": len(corpus),
            "dev_hours": sum(map(corpus.duration_s, range(len(corpus)))) / 3600,
        },
        "rows": rows,
        "diverged": [name for name, net in loaded.items() if net is None],
        "reach": reach,
        "speed": speed,
    }
    if "gru" in nets:
        log("gates")
        figures |= _gates(plan, nets["gru"], corpus, texts, log)
    draw_errors(rows, rate, plan.pictures / "errors.png")
    draw_training(rows, plan.pictures / "training.png")
    if any(reach.values()):
        draw_gradients(reach, plan.pictures / "gradients.png")
    return figures


def _step_ms(net: AcousticNet) -> float:
    """Return the duration of a step of a live stream in ms."""
    info = acoustic_info(net)
    return 1000 * info.step_samples / info.sample_rate


def _rows(
    plan: Measurement,
    nets: dict[str, AcousticNet],
    corpus: Corpus,
    tokenizer: Tokenizer,
    log: Callable[[str], None],
) -> dict[str, Any]:
    scores: dict[str, list[Score]] = {}
    rows: dict[str, Any] = {}
    for row in (row for row in plan.rows if row.name in nets):
        log(f"errors of {row.name}")
        scores[row.name] = utterance_scores(nets[row.name], corpus, tokenizer)
        curves = read_curves(plan.run.folder / row.name)
        norms = np.array(curves["gradient norm"])
        norms = norms[np.isfinite(norms)]
        rows[row.name] = {
            "differs": differences(plan.rows[0], row),
            "parameters": parameters(nets[row.name]),
            "rate": round(sum(scores[row.name], Score()).rate, 3),
            "curves": _binned(curves),
            "gradient": {
                "median": round(float(np.median(norms)), 4),
                "largest": round(float(norms.max()), 4),
                "not finite": len(curves["gradient norm"]) - len(norms),
            },
        }
    _compare(rows, scores, "versus")
    return rows


def _words(
    rows: dict[str, Any],
    nets: dict[str, AcousticNet],
    corpus: Corpus,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    log: Callable[[str], None],
) -> None:
    """Add the word error rates of rows, with the search of the bundled model."""
    search = bundled_search(tokenizer)
    scores: dict[str, list[Score]] = {}
    for name in (name for name in nets if name in MAIN_ROWS or "-seed-" in name):
        log(f"word errors of {name}")
        scores[name] = word_scores(nets[name], corpus, texts, search, tokenizer)
        rows[name]["WER"] = round(sum(scores[name], Score()).rate, 3)
    _compare(rows, scores, "words versus")


def _compare(rows: dict[str, Any], scores: dict[str, list[Score]], key: str) -> None:
    """Add under ``key`` how each row differs from its baseline."""
    for name, own in scores.items():
        against = baseline(name)
        if against in scores and against != name:
            found = compare(scores[against], own, share=LEVEL)
            rows[name][key] = {
                "difference": round(found.difference, 3),
                "interval": [round(bound, 3) for bound in found.interval],
                "significant": found.significant,
            }


def _binned(curves: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return means over at most ``POINTS`` groups of steps."""
    steps = len(curves["loss"])
    groups = np.array_split(np.arange(steps), min(POINTS, steps))
    binned = {"step": [float(group.mean()) for group in groups]}
    for key, values in curves.items():
        whole = np.array(values)
        binned[key] = [float(f"{whole[group].mean():.4g}") for group in groups]
    return binned


def _reach(
    plan: Measurement, nets: dict[str, AcousticNet], corpus: Corpus
) -> dict[str, dict[str, list[float]]]:
    frame = next(iter(nets.values())).config.frame_samples
    strings = string_together(corpus, (plan.frames + 5) * frame, SEQUENCES)
    configs = {row.name: row.config for row in plan.rows}
    reach: dict[str, dict[str, list[float]]] = {"initial": {}, "trained": {}, "scaled": {}}

    def initial(name: str) -> AcousticNet:
        vocab_size = nets[name].vocab_size
        return random_net(configs[name], vocab_size, net_builder(name))

    for name in (row for row in REACH_ROWS if row in nets):
        features = features_of(nets[name], strings)
        for kind, net in (("initial", initial(name)), ("trained", nets[name])):
            reach[kind][name] = _rounded(net_reach(net, features, plan.frames))
        for scale in SCALES if name in ("gru", "lstm", "rnn") else ():
            scaled = net_reach(scale_recurrence(initial(name), scale), features, plan.frames)
            reach["scaled"][f"{name} x {scale:g}"] = _rounded(scaled)
    return reach


def _rounded(values: np.ndarray[Any, Any]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _speed(
    plan: Measurement, nets: dict[str, AcousticNet], training_set: TrainingSet, corpus: Corpus
) -> dict[str, dict[str, float]]:
    names = [name for name in MAIN_ROWS if name in nets]
    if not names:
        return {}
    torch.set_num_threads(1)
    configs = {row.name: row.config for row in plan.rows}
    jobs: list[tuple[str, TrainConfig, GruKernel]] = []
    for name in names:
        jobs.append((name, configs[name], "torch"))
        if configs[name].encoder.cell == "gru":
            jobs.append((name, configs[name], "float32"))
    order = np.argsort(training_set.durations_s)[len(training_set.kept) // 2 :]
    first = training_set.durations_s[order[0]]
    count = max(1, int(plan.rows[0].config.data.batch_s / first))
    batch = training_set.batch(order[:count].tolist(), (0,))
    vocab_size = next(iter(nets.values())).vocab_size
    speed: dict[str, dict[str, float]] = {name: {} for name in names}
    for (name, _, kernel), value in zip(
        jobs, training_speeds(jobs, batch, vocab_size, plan.repeats), strict=True
    ):
        speed[name][f"training {kernel}"] = round(value, 1)
    exported = [name for name in names if name != ATTENTION]
    streams = inference_speed([nets[name] for name in exported], corpus, max(2, plan.repeats // 3))
    for name, forms in zip(exported, streams, strict=True):
        speed[name] |= {form: round(value, 1) for form, value in forms.items()}
    return speed


def _interest(words: Sequence[Word], seconds: float) -> tuple[bool, int]:
    """Return how suitable a sentence is for the picture: its length, then its words."""
    low, high = SENTENCE_S
    return low <= seconds <= high, sum(len(word.text) > 1 for word in words)


def _gates(
    plan: Measurement,
    net: AcousticNet,
    corpus: Corpus,
    texts: Sequence[str],
    log: Callable[[str], None],
) -> dict[str, Any]:
    words = align_words(corpus, texts, log)
    if not any(words):
        log("no gates: no text could be aligned by the bundled model, which is English")
        return {}
    index = max(range(len(corpus)), key=lambda i: _interest(words[i], corpus.duration_s(i)))
    samples = corpus.samples(index)
    samples = samples[: len(samples) // net.config.frame_samples * net.config.frame_samples]
    with torch.no_grad():
        mel = net.features(torch.from_numpy(samples)[None])[0][0].numpy()
    seconds = len(samples) / corpus.sample_rate
    picture = plan.pictures / "gates.png"
    draw_gates(mel, net_gates(net, samples), words[index], seconds, picture)
    return {
        "gates": gate_figures(net, corpus, words),
        "sentence": texts[index],
    }
