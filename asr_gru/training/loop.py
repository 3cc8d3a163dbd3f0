"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import nullcontext
from pathlib import Path

import msgspec
import torch

from asr_gru.errors import ConfigError
from asr_gru.language.token_trigram import MAX_TOKENS
from asr_gru.model.directory import TRIGRAM
from asr_gru.nn.net import AcousticNet, NetBuilder
from asr_gru.text import Tokenizer
from asr_gru.training.ahead import map_ahead, usable_cpus
from asr_gru.training.autotune import KERNELS, choose_kernel
from asr_gru.training.checkpoint import NAME, Checkpoint, load_checkpoint, save_checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.ctc_crf import token_trigram, trigram_probs
from asr_gru.training.dataset import Batch, TrainingSet
from asr_gru.training.distillation import load_teacher
from asr_gru.training.distributed import PeerLostError, Processes
from asr_gru.training.divergence import Attempt, DivergedError, DivergenceGuard, all_finite
from asr_gru.training.initialise import initial_checkpoint
from asr_gru.training.optimiser import build_optimiser, resume_optimiser, update_ema
from asr_gru.training.phones import PhoneHead
from asr_gru.training.prepare import prepare
from asr_gru.training.report import Report
from asr_gru.training.run import Run, locked
from asr_gru.training.sampler import plan_epoch
from asr_gru.training.schedule import Schedule
from asr_gru.training.step import TrainStep
from asr_gru.training.validate import named_hypotheses, validate, validation_metrics

__all__ = ["DivergedError", "Run", "train"]


def train(
    config: TrainConfig,
    run: Run,
    processes: Processes,
    log: Callable[[str], None],
    *,
    build_net: NetBuilder = AcousticNet,
) -> Checkpoint:
    """Train the run in ``run.folder`` to its last epoch, resuming from its checkpoint if any.

    All randomness derives from the seed, the epoch and the step, so a run that was killed resumes
    exactly as if it had not been interrupted.

    Args:
        config: configuration of the run.
        run: its folder and options.
        processes: the processes that train together.
        log: receives progress, line by line.
        build_net: builds the network; for experiments with one that cannot be exported.

    Raises:
        ConfigError: another process trains in the folder, or its checkpoint does not fit the
            configuration.
        DivergedError: no gradient was finite for ``MAX_NONFINITE_STEPS`` consecutive steps, or
            weights are not finite; the last checkpoint stays as it is.
        DataError: the manifests or texts cannot be trained on.
        OSError: the final checkpoint cannot be written; the previous one stays intact.
    """
    with locked(run.folder) if processes.is_main else nullcontext():
        return _train(config, run, processes, log, build_net)


def _train(
    config: TrainConfig,
    run: Run,
    processes: Processes,
    log: Callable[[str], None],
    build_net: NetBuilder,
) -> Checkpoint:
    is_main = processes.is_main
    report = Report(run.folder if is_main else None, log if is_main else None)
    schedule = Schedule(config.epochs, run.minutes, processes)
    tokenizer, training_set, validation_sets = prepare(config, run, processes, report)
    teacher = load_teacher(config, run, tokenizer)
    if teacher is not None:
        teacher.net.to(processes.device)
    state = _load_state(config, run, tokenizer, training_set, report, build_net)
    schedule.resume(state.progress)
    kernel = choose_kernel(state.config, processes, report.note)
    if state.config.gru_kernel == "auto" and processes.device.type == "cpu":
        state.config = msgspec.structs.replace(state.config, gru_kernel=kernel)
    net = build_net(config.net, len(tokenizer), KERNELS[kernel]).to(processes.device)
    net.load_state_dict(state.weights)
    head = _phone_head(config, state, training_set, processes)
    optimiser = build_optimiser(net, config.optimiser, head, processes)
    if state.optimiser:
        resume_optimiser(optimiser, state.optimiser)
    ema = {name: value.to(processes.device) for name, value in state.ema.items()}
    trigram = None
    exported = tokenizer.kind == "phones" and len(tokenizer) <= MAX_TOKENS and is_main
    if exported or config.ctc_crf_weight:
        estimated = token_trigram(training_set.sequences(), tokenizer.symbols)
        if exported:
            estimated.save(run.folder / TRIGRAM)
        if config.ctc_crf_weight:
            trigram = trigram_probs(estimated).to(processes.device)
    train_step = TrainStep(net, head, optimiser, config, processes, trigram, teacher)
    guard = DivergenceGuard(train_step, training_set, report.note)

    def save(*, final: bool) -> None:
        if not all_finite(net):
            report.note("weights are not finite; the previous checkpoint is kept")
            if final:
                raise DivergedError("weights are not finite; lower optimiser.learning_rate")
            return
        report.flush()
        state.weights = {name: value.cpu() for name, value in net.state_dict().items()}
        state.ema = {name: value.cpu() for name, value in ema.items()}
        state.optimiser = optimiser.state_dict()
        state.phone_head = {k: v.cpu() for k, v in head.state_dict().items()} if head else {}
        if is_main:
            try:
                save_checkpoint(state, run.folder / NAME)
            except OSError as error:
                if final:
                    raise
                report.note(f"{error.filename}: {error.strerror}; the previous checkpoint is kept")

    saved_at = time.monotonic()
    out_of_time = False
    while not out_of_time and schedule.includes(state.epoch):
        steps = plan_epoch(
            training_set.durations_s,
            training_set.weights,
            batch_s=config.data.batch_s,
            processes=processes.world_size * config.optimiser.accumulate,
            noise_only=config.data.noise_only,
            seed=config.seed,
            epoch=state.epoch,
            ascending=state.epoch < config.curriculum_epochs,
        )
        batches = _batches(training_set, steps, state, processes)
        while state.step_in_epoch < len(steps):
            run.stop.is_heeded = True
            began = time.monotonic()
            try:
                progress = schedule.progress(state.epoch + state.step_in_epoch / len(steps))
                out_of_time = progress >= 1.0
                if out_of_time:
                    break
                own = next(batches)
                result = train_step.accumulate(own, state.global_step, progress)
                attempts = [
                    Attempt(batch, indices, state.global_step, progress, seed)
                    for (batch, seed), indices in zip(
                        own, processes.own(steps[state.step_in_epoch]), strict=True
                    )
                ]
                guard.check(*attempts, finite=result.finite)
            except PeerLostError:  # before anything was changed
                batches.close()
                save(final=True)
                if run.stop.requested:
                    return state
                raise
            if ema:
                update_ema(ema, net, config.optimiser.ema, state.global_step)
            state.progress = 0.0 if run.minutes is None else progress
            state.global_step += 1
            state.step_in_epoch += 1
            report.step(
                state.epoch,
                state.step_in_epoch,
                len(steps),
                state.global_step,
                result,
                audio_s=training_set.audio_s(steps[state.step_in_epoch - 1]),
                seconds=time.monotonic() - began,
            )
            enough = run.stop_after is not None and state.global_step >= run.stop_after
            stop = enough or run.stop.requested
            if stop or time.monotonic() - saved_at > run.save_every_s:
                save(final=stop)
                saved_at = time.monotonic()
            if stop:
                batches.close()
                report.close()
                return state
        batches.close()
        report.unreadable(_damaged(training_set, processes))
        run.stop.is_heeded = not validation_sets  # which may take minutes
        if out_of_time:
            epochs_done = state.epoch + state.step_in_epoch / len(steps)
            state.progress = 0.0
        else:
            state.epoch, state.step_in_epoch = state.epoch + 1, 0
            epochs_done = float(state.epoch)
        averaged = build_net(config.net, len(tokenizer), None).to(processes.device)
        averaged.load_state_dict(ema or net.state_dict())
        metrics = {"epoch": epochs_done, "step": float(state.global_step)}
        validations = {
            name: validate(
                averaged,
                corpus,
                tokenizer,
                processes,
                ctc_crf_weight=config.ctc_crf_weight,
                trigram=trigram,
            )
            for name, corpus in validation_sets.items()
        }
        metrics |= validation_metrics(validations)
        report.hypotheses(named_hypotheses(validations, validation_sets, run.root))
        report.validation(metrics)
        state.history.append(metrics)
        save(final=out_of_time or not schedule.includes(state.epoch))
    report.close()
    return state


def _damaged(training_set: TrainingSet, processes: Processes) -> dict[Path, str]:
    """Return what each process found to be damaged in this epoch, and forget it."""
    own = "\n".join(" ".join(reason.split()) for reason in training_set.damaged.values())
    training_set.damaged.clear()
    texts = processes.gather_texts(own)
    return {Path(reason): reason for text in texts for reason in text.splitlines()}


def _batches(
    training_set: TrainingSet,
    steps: list[list[list[int]]],
    state: Checkpoint,
    processes: Processes,
) -> Generator[list[tuple[Batch, tuple[int, ...]]]]:
    """Yield this process's batches of each step from the current one on, each with its seed.

    For a GPU, threads prefetch batches; on a CPU they would only slow down the training steps.
    """
    run_seed, epoch = state.config.seed, state.epoch

    def load(step_in_epoch: int) -> list[tuple[Batch, tuple[int, ...]]]:
        own = processes.own(list(enumerate(steps[step_in_epoch])))
        seeds = [(run_seed, epoch, step_in_epoch, number) for number, _ in own]
        return [
            (training_set.batch(indices, seed), seed)
            for (_, indices), seed in zip(own, seeds, strict=True)
        ]

    threads = min(8, usable_cpus()) if processes.device.type == "cuda" else 0
    return map_ahead(load, range(state.step_in_epoch, len(steps)), threads)


def _load_state(
    config: TrainConfig,
    run: Run,
    tokenizer: Tokenizer,
    training_set: TrainingSet,
    report: Report,
    build_net: NetBuilder,
) -> Checkpoint:
    """Load the checkpoint of the run, or return an initial one."""
    if not (run.folder / NAME).exists():
        return initial_checkpoint(
            config,
            run.start_from,
            tokenizer,
            training_set,
            new_head=run.new_head,
            log=report.note,
            build_net=build_net,
        )
    state = load_checkpoint(run.folder, report.note)
    if not state.config.net.same_weights(config.net):
        raise ConfigError(f"{run.folder}: holds a run with another model; give another --run-dir")
    if state.config.optimiser.name != config.optimiser.name:
        raise ConfigError(
            f"{run.folder}: holds a run of {state.config.optimiser.name}; give another --run-dir"
        )
    phones = 0 if training_set.phones is None else len(training_set.phones.names)
    if phones != (len(state.phone_head["linear.bias"]) if state.phone_head else 0):
        raise ConfigError(f"{run.folder}: holds a run with other phones; give another --run-dir")
    if config.gru_kernel == "auto":  # keep the kernel chosen at the start, for exact resume
        config = msgspec.structs.replace(config, gru_kernel=state.config.gru_kernel)
    state.config = config
    if config.optimiser.ema and not state.ema:  # a run without it, so far
        state.ema = {name: value.clone() for name, value in state.weights.items()}
    return state


def _phone_head(
    config: TrainConfig,
    state: Checkpoint,
    training_set: TrainingSet,
    processes: Processes,
) -> PhoneHead | None:
    """Return the phone head, from the checkpoint or randomly initialised; None without phones."""
    if training_set.phones is None:
        return None
    torch.manual_seed(config.seed)
    head = PhoneHead(config.encoder.width, len(training_set.phones.names))
    head = head.to(processes.device)
    if state.phone_head:
        head.load_state_dict(state.phone_head)
    return head
