"""Cross-validation: folds without a common speaker, and training on all but one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from asr_gru.data.manifest import Utterance, write_manifest
from asr_gru.errors import DataError
from asr_gru.nn.net import AcousticNet
from asr_gru.training.augment import Augmenter
from asr_gru.training.autotune import KERNELS, choose_kernel
from asr_gru.training.config import AugmentConfig, TrainConfig
from asr_gru.training.dataset import TrainingSet
from asr_gru.training.distributed import Processes
from asr_gru.training.initialise import initial_checkpoint
from asr_gru.training.loss import training_loss
from asr_gru.training.optimiser import build_optimiser, update_ema
from asr_gru.training.prepare import prepare
from asr_gru.training.report import Report
from asr_gru.training.run import Run
from asr_gru.training.sampler import plan_epoch
from asr_gru.training.step import TrainStep
from asr_gru.training.validate import RATE_NAMES, validate

__all__ = ["LISTS", "FoldResult", "split_speakers", "train_fold", "write_folds"]

LISTS = ("train.tsv", "dev.tsv")


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Result of a trial on one fold.

    Attributes:
        loss: validation loss in nats per token.
        rate: error rate in percent, of phones or of words.
    """

    loss: float
    rate: float


def split_speakers(utterances: Sequence[Utterance], folds: int) -> list[list[Utterance]]:
    """Split utterances into folds of about equal duration; each speaker is in one of them.

    The speakers with the most speech are placed first, each into the shortest fold.

    Raises:
        DataError: an utterance has no speaker, or there are fewer speakers than folds.
    """
    by_speaker: defaultdict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if not utterance.speaker:
            raise DataError(
                f"{utterance.path}: has no speaker; folds without common speakers need the "
                "column speaker in the manifest"
            )
        by_speaker[utterance.speaker].append(utterance)
    if len(by_speaker) < folds:
        raise DataError(
            f"{len(by_speaker)} speakers for {folds} folds; give more speech or fewer folds"
        )
    durations = {name: sum(u.duration_s for u in own) for name, own in by_speaker.items()}
    parts: list[list[Utterance]] = [[] for _ in range(folds)]
    totals = [0.0] * folds
    for speaker in sorted(by_speaker, key=lambda name: (-durations[name], name)):
        shortest = totals.index(min(totals))
        parts[shortest].extend(by_speaker[speaker])
        totals[shortest] += durations[speaker]
    return parts


def write_folds(utterances: Sequence[Utterance], folds: int, folder: Path) -> list[Path]:
    """Write training and validation lists of each fold into a folder of its own; return these.

    Raises:
        DataError: as ``split_speakers``.
    """
    parts = split_speakers(utterances, folds)
    folders = [folder / f"fold-{number}" for number in range(1, folds + 1)]
    for number, path in enumerate(folders):
        rest = [u for other, part in enumerate(parts) if other != number for u in part]
        for name, entries in zip(LISTS, (rest, parts[number]), strict=True):
            write_manifest(path / name, entries)
    return folders


def train_fold(
    config: TrainConfig,
    root: Path,
    cache: Path,
    on_epoch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> FoldResult:
    """Train on ``train.tsv`` of a fold, with validation on ``dev.tsv`` after each epoch.

    Args:
        config: the whole configuration of the trial.
        root: folder of the fold.
        cache: decoded recordings, shared by all folds and trials.
        on_epoch: receives the epoch, from 0, and the validation loss; what it raises ends training.
    """
    processes = Processes(0, 1, torch.device("cpu"))
    run = Run(root, root, cache)
    tokenizer, training_set, sets = prepare(config, run, processes, Report(None, None))
    (corpus,) = sets.values()
    state = initial_checkpoint(
        config, None, tokenizer, training_set, new_head=False, log=lambda _line: None
    )
    kernel = choose_kernel(config, processes, lambda _line: None)
    net = AcousticNet(config.net, len(tokenizer), KERNELS[kernel])
    net.load_state_dict(state.weights)
    ema = {name: value.clone() for name, value in state.weights.items()}
    averaged = AcousticNet(config.net, len(tokenizer)).eval()
    optimiser = build_optimiser(net, config.optimiser)
    train_step = TrainStep(net, None, optimiser, config, processes)
    held_out = TrainingSet(
        corpus,
        tokenizer,
        config,
        Augmenter(AugmentConfig(), config.frontend.sample_rate, None, None),
    )
    taken, loss = 0, float("nan")
    for epoch in range(config.epochs):
        steps = _plan(training_set, config, epoch)
        for step, (batch,) in enumerate(steps):
            seed = (config.seed, epoch, step, 0)
            progress = (epoch + step / len(steps)) / config.epochs
            train_step(training_set.batch(batch, seed), taken, progress, seed)
            update_ema(ema, net, config.optimiser.ema, taken)
            taken += 1
        averaged.load_state_dict(ema)
        loss = validation_loss(averaged, held_out, config)
        on_epoch(epoch, loss)
    rates = validate(averaged, corpus, tokenizer, processes).rates
    return FoldResult(loss, rates[RATE_NAMES[tokenizer.kind]])


@torch.no_grad()
def validation_loss(net: AcousticNet, held_out: TrainingSet, config: TrainConfig) -> float:
    """Return the CTC loss of a set without augmentation, in nats per token."""
    total = tokens = 0.0
    for (batch,) in _plan(held_out, config, 0):
        one = held_out.batch(batch, (0,))
        log_probs, _ = net(one.samples, None, one.frames)
        count = float(one.target_lengths.sum())
        loss = training_loss(log_probs, one.targets, one.frames, one.target_lengths, 0.0)
        total, tokens = total + float(loss) * count, tokens + count
    return total / tokens


def _plan(utterances: TrainingSet, config: TrainConfig, epoch: int) -> list[list[list[int]]]:
    """Return the steps of an epoch, each with the utterances of its only batch."""
    return plan_epoch(
        utterances.durations_s,
        utterances.weights,
        batch_s=config.data.batch_s,
        processes=1,
        noise_only=0.0,
        seed=config.seed,
        epoch=epoch,
        ascending=epoch < config.curriculum_epochs,
    )
