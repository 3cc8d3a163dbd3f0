"""The training loop, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import nullcontext
from typing import Any

import msgspec
import numpy as np
import torch

from asr_gru.errors import ConfigError
from asr_gru.nn.fast_gru import bf16_available
from asr_gru.nn.net import AcousticNet
from asr_gru.text import Tokenizer
from asr_gru.training.ahead import map_ahead, usable_cpus
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.autotune import LAYERS, race_layers
from asr_gru.training.checkpoint import NAME, Checkpoint, load_checkpoint, save_checkpoint
from asr_gru.training.config import Layer, TrainConfig
from asr_gru.training.dataset import Batch, Examples
from asr_gru.training.distributed import Processes
from asr_gru.training.initialise import fresh_start
from asr_gru.training.optimiser import make_optimiser, update_average
from asr_gru.training.phones import PhoneHead
from asr_gru.training.prepare import prepare
from asr_gru.training.report import Report
from asr_gru.training.run import Run, locked
from asr_gru.training.sampler import plan_pass
from asr_gru.training.schedule import Schedule
from asr_gru.training.step import Learner
from asr_gru.training.validate import RATE_NAMES, validate

__all__ = ["Run", "train"]

MOST_UNMOVED = 100
"""Steps one after the other without a finite gradient, after which a run ends."""


def train(
    config: TrainConfig, run: Run, processes: Processes, say: Callable[[str], None]
) -> Checkpoint:
    """Train, or go on with, the run in ``run.folder`` until its last pass.

    Whatever is random follows from the seed, the pass and the step, so that a run that was killed
    goes on exactly as if it had not been.

    Raises:
        ConfigError: another run is going on in the folder, what is there does not fit the
            configuration, or no gradient was finite for ``MOST_UNMOVED`` steps.
        DataError: manifests or texts that cannot be trained on.
        OSError: no checkpoint could be written at the end; the one before it stays whole.
    """
    with locked(run.folder) if processes.first else nullcontext():
        return _train(config, run, processes, say)


def _train(
    config: TrainConfig, run: Run, processes: Processes, say: Callable[[str], None]
) -> Checkpoint:
    report = Report(run.folder if processes.first else None, say if processes.first else None)
    schedule = Schedule(config.epochs, run.minutes, processes)
    tokens, examples, validation = prepare(config, run, processes, report)
    state = _first_state(config, run, tokens, examples, report)
    fast = _choose_layer(state, processes, report)
    net = AcousticNet(config.net, len(tokens), fast).to(processes.device)
    net.load_state_dict(state.weights)
    head = _phone_head(config, state, examples, processes)
    optimiser = make_optimiser(net, config.optimiser, head, processes)
    if state.optimiser:
        optimiser.load_state_dict(state.optimiser)
    average = {name: value.to(processes.device) for name, value in state.average.items()}
    learner = Learner(net, head, optimiser, config, processes)

    def checkpoint(*, last: bool) -> None:
        state.weights = {name: value.cpu() for name, value in net.state_dict().items()}
        state.average = {name: value.cpu() for name, value in average.items()}
        state.optimiser = optimiser.state_dict()
        state.phones = {k: v.cpu() for k, v in head.state_dict().items()} if head else {}
        if processes.first:
            try:
                save_checkpoint(state, run.folder / NAME)
            except OSError as error:
                if last:
                    raise
                report.note(f"{error.filename}: {error.strerror}; the checkpoint before it stays")

    unmoved = 0
    saved_at = time.monotonic()
    over = False
    while not over and schedule.includes(state.number):
        steps = plan_pass(
            examples.durations_s,
            examples.weights,
            batch_s=config.data.batch_s,
            processes=processes.count,
            noise_only=config.data.noise_only,
            seed=config.seed,
            number=state.number,
            ascending=state.number < config.curriculum_epochs,
        )
        batches = _batches(examples, steps, state, processes)
        while state.position < len(steps):
            progress = schedule.progress(state.number + state.position / len(steps))
            over = progress >= 1.0
            if over:
                break
            batch, seed = next(batches)
            losses = learner.step(batch, state.step, progress, seed)
            if average:
                update_average(average, net, config.optimiser.ema, state.step)
            state.step += 1
            state.position += 1
            report.step(state.number, state.position, len(steps), state.step, losses)
            unmoved = 0 if losses.moved else unmoved + 1
            if unmoved == MOST_UNMOVED:
                raise ConfigError(
                    f"no finite gradient in {unmoved} steps; go on from the last checkpoint with a "
                    "lower learning rate"
                )
            last = run.stop_after is not None and state.step >= run.stop_after
            if last or time.monotonic() - saved_at > run.save_every_s:
                checkpoint(last=last)
                saved_at = time.monotonic()
            if last:
                batches.close()
                report.close()
                return state
        batches.close()
        if over:
            done = state.number + state.position / len(steps)
        else:
            state.number, state.position = state.number + 1, 0
            done = float(state.number)
        state.history.append(
            _validate(net, average, validation, tokens, processes, report, done, state.step)
        )
        checkpoint(last=over or not schedule.includes(state.number))
    report.close()
    return state


def _batches(
    examples: Examples, steps: list[list[list[int]]], state: Checkpoint, processes: Processes
) -> Generator[tuple[Batch, tuple[int, ...]]]:
    """Yield the batches of this process from the present step on, with the seed of each.

    Beside a GPU, threads make them ahead; on a CPU they would only take time from the steps.
    """
    number, seed = state.number, state.config.seed

    def load(position: int) -> tuple[Batch, tuple[int, ...]]:
        of_batch = (seed, number, position, processes.rank)
        return examples.batch(steps[position][processes.rank], of_batch), of_batch

    threads = min(8, usable_cpus()) if processes.device.type == "cuda" else 0
    return map_ahead(load, range(state.position, len(steps)), threads)


def _first_state(
    config: TrainConfig, run: Run, tokens: Tokenizer, examples: Examples, report: Report
) -> Checkpoint:
    """Return the run's own checkpoint, or a fresh start."""
    if not (run.folder / NAME).exists():
        return fresh_start(
            config, run.start_from, tokens, examples, new_head=run.new_head, say=report.note
        )
    state = load_checkpoint(run.folder)
    if not state.config.net.same_weights(config.net):
        raise ConfigError(f"{run.folder}: holds a run with another model; give another --run-dir")
    if state.config.optimiser.name != config.optimiser.name:
        was = state.config.optimiser.name
        raise ConfigError(f"{run.folder}: holds a run of {was}; give another --run-dir")
    phones = examples.phones
    names = 0 if phones is None else len(phones.names)
    if names != (len(state.phones["linear.bias"]) if state.phones else 0):
        raise ConfigError(f"{run.folder}: holds a run with other phones; give another --run-dir")
    if config.gru_kernel == "auto":  # what was measured at the start decides, to the bit
        config = msgspec.structs.replace(config, gru_kernel=state.config.gru_kernel)
    state.config = config
    return state


def _phone_head(
    config: TrainConfig,
    state: Checkpoint,
    examples: Examples,
    processes: Processes,
) -> PhoneHead | None:
    """Return the head that names phones, as the checkpoint has it or at random."""
    if examples.phones is None:
        return None
    torch.manual_seed(config.seed)
    head = PhoneHead(config.encoder.width, len(examples.phones.names))
    head = head.to(processes.device)
    if state.phones:
        head.load_state_dict(state.phones)
    return head


def _choose_layer(state: Checkpoint, processes: Processes, report: Report) -> torch.dtype | None:
    """Return the recurrent layer's ``fast``; an open choice is measured, and kept for later."""
    config = state.config
    name: Layer = config.gru_kernel
    if config.encoder.cell != "gru" or processes.device.type != "cpu":
        name = "torch"
    if name == "bf16" and not bf16_available():
        raise ConfigError(
            'gru_kernel = "bf16" needs a CPU with AVX-512 and torch with oneDNN; '
            'write gru_kernel = "float32"'
        )
    if name == "auto":
        race = race_layers(config.encoder.width)
        seconds = torch.tensor(list(race.values()))
        processes.sum_(seconds)
        name = list(race)[int(seconds.argmin())]
        state.config = msgspec.structs.replace(config, gru_kernel=name)
    report.note(f"recurrent layer: {name}")
    return LAYERS[name]


def _validate(
    net: AcousticNet,
    average: dict[str, torch.Tensor],
    validation: dict[str, Corpus],
    tokens: Tokenizer,
    processes: Processes,
    report: Report,
    epochs: float,
    step: int,
) -> dict[str, float]:
    row: dict[str, Any] = {"epoch": epochs, "step": float(step)}
    judged = AcousticNet(net.config, net.tokens).to(processes.device)
    judged.load_state_dict(average or net.state_dict())
    for name, corpus in validation.items():
        result = validate(judged, corpus, tokens, processes)
        row.update({f"{name} {rate}": value for rate, value in result.rates.items()})
        report.examples(name, result)
    if validation:
        rate = RATE_NAMES[tokens.kind]
        row[f"mean {rate}"] = float(np.mean([row[f"{name} {rate}"] for name in validation]))
    report.validation(row)
    return row
