"""Trains on a single batch, which a working configuration learns by heart within a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import torch

from asr_gru.decoding.alignment import collapse
from asr_gru.errors import ConfigError
from asr_gru.nn.net import AcousticNet
from asr_gru.text import Tokenizer
from asr_gru.training.autotune import KERNELS
from asr_gru.training.config import (
    AugmentConfig,
    DistillationConfig,
    PhonesConfig,
    TrainConfig,
)
from asr_gru.training.dataset import Batch
from asr_gru.training.distributed import Processes
from asr_gru.training.initialise import initial_checkpoint
from asr_gru.training.optimiser import build_optimiser
from asr_gru.training.prepare import prepare
from asr_gru.training.report import Report
from asr_gru.training.run import Run
from asr_gru.training.sampler import plan_epoch
from asr_gru.training.step import TrainStep

__all__ = ["OverfitResult", "overfit_one_batch"]

MAX_STEPS = 600
CHECK_INTERVAL = 20
"""Steps between two looks at the hypotheses."""
SMALL_LOSS = 0.05
"""Nats per token at which a batch counts as learned, if every hypothesis is right as well."""
MAX_BATCH_S = 30.0
MAX_WARMUP_STEPS = 20


@dataclass(frozen=True, slots=True)
class OverfitResult:
    """What became of the batch.

    Attributes:
        learned: whether the loss is small and every hypothesis equals its reference.
        steps: steps taken.
        loss: CTC loss of the last step, in nats per token.
        texts: pairs of reference and greedy hypothesis.
    """

    learned: bool
    steps: int
    loss: float
    texts: tuple[tuple[str, str], ...]


def overfit_one_batch(
    config: TrainConfig,
    run: Run,
    processes: Processes,
    log: Callable[[str], None],
) -> OverfitResult:
    """Train on one batch of the training set until it is learned, without writing a run.

    Data, tokens, network and optimiser are those of ``config``; what would stand in the way of
    learning by heart is off: augmentation, dropout, noise, further losses, learning rate decay.
    ``run.minutes`` replaces ``MAX_STEPS``; ``run.folder`` is not used.

    Raises:
        ConfigError: there are several processes.
        DataError: the manifests or texts cannot be trained on.
    """
    if processes.world_size > 1:
        raise ConfigError("--overfit-one-batch runs in one process; start it without torchrun")
    config = _plain(config)
    with TemporaryDirectory() as folder:
        run = replace(run, folder=Path(folder))
        tokenizer, training_set, _ = prepare(config, run, processes, Report(None, log))
        state = initial_checkpoint(
            config, run.start_from, tokenizer, training_set, new_head=run.new_head, log=log
        )
    kernel = "torch" if config.gru_kernel == "auto" else config.gru_kernel
    is_gru_on_cpu = config.encoder.cell == "gru" and processes.device.type == "cpu"
    net = AcousticNet(config.net, len(tokenizer), KERNELS[kernel] if is_gru_on_cpu else None)
    net.load_state_dict(state.weights)
    net = net.to(processes.device)
    train_step = TrainStep(net, None, build_optimiser(net, config.optimiser), config, processes)
    (indices,), *_ = plan_epoch(
        training_set.durations_s,
        np.sign(training_set.weights),  # small weights may leave an epoch empty
        batch_s=config.data.batch_s,
        processes=1,
        noise_only=0.0,
        seed=config.seed,
        epoch=0,
        ascending=False,
    )
    batch = training_set.batch(indices, (config.seed,))
    log(f"one batch: {len(indices)} utterances, {training_set.durations_s[indices].sum():.1f} s")

    began = time.monotonic()
    step, loss, learned = 0, float("nan"), False
    texts: tuple[tuple[str, str], ...] = ()
    run.stop.is_heeded = True
    while not learned and not run.stop.requested:
        if run.minutes is None and step == MAX_STEPS:
            break
        if run.minutes is not None and time.monotonic() - began > 60.0 * run.minutes:
            break
        loss = train_step(batch, step, 0.0, (config.seed, step)).ctc_loss
        step += 1
        if step % CHECK_INTERVAL == 0:
            texts = _texts(net, batch, tokenizer)
            right = sum(reference == hypothesis for reference, hypothesis in texts)
            learned = loss < SMALL_LOSS and right == len(texts)
            log(f"step {step}: loss {loss:.4g}  right {right} of {len(texts)}")
    return OverfitResult(learned, step, loss, texts or _texts(net, batch, tokenizer))


def _plain(config: TrainConfig) -> TrainConfig:
    """Switch off what stands in the way of learning a batch by heart."""
    change = msgspec.structs.replace
    batch_s = min(config.data.batch_s, MAX_BATCH_S)
    warmup_steps = min(config.optimiser.warmup_steps, MAX_WARMUP_STEPS)
    return change(
        config,
        data=change(config.data, validation=(), batch_s=batch_s, noise_only=0.0),
        augment=AugmentConfig(),
        phones=PhonesConfig(),
        distillation=DistillationConfig(),
        cr_ctc_weight=0.0,
        ctc_crf_weight=0.0,
        encoder=change(config.encoder, dropout=0.0),
        optimiser=change(
            config.optimiser, warmup_steps=warmup_steps, decay="none", weight_decay=0.0
        ),
    )


def _texts(net: AcousticNet, batch: Batch, tokenizer: Tokenizer) -> tuple[tuple[str, str], ...]:
    """Return pairs of reference and greedy hypothesis."""
    device = next(net.parameters()).device
    net.eval()
    with torch.no_grad():
        log_probs, _ = net(batch.samples.to(device), None, batch.frames.to(device))
    best = log_probs.argmax(dim=-1).cpu().numpy()
    targets = torch.split(batch.targets, batch.target_lengths.tolist())
    return tuple(
        (
            tokenizer.decode(target.tolist()),
            tokenizer.decode(collapse(row[:frames].tolist())),
        )
        for row, frames, target in zip(best, batch.frames.tolist(), targets, strict=True)
    )
