"""The training loop of a GPU: everything but the choice of utterances happens on the device."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from asr_gru.errors import DataError
from asr_gru.files import write_bytes
from asr_gru.nn.net import AcousticNet
from asr_gru.training.checkpoint import Checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.ctc_crf import forward_backward
from asr_gru.training.optimiser import learning_rate
from recipes.en_small.gpu.augment import (
    assemble,
    limit_bandwidth,
    mask,
    reverberate,
    room_responses,
)
from recipes.en_small.gpu.clock import Clock
from recipes.en_small.gpu.corpus import VALIDATION, Corpus, Ints
from recipes.en_small.gpu.decode import DECODED
from recipes.en_small.gpu.draw import Batcher, Draws, draw_plain, draw_training, output_frames
from recipes.en_small.gpu.fused_muon import FusedMuon
from recipes.en_small.gpu.graphs import Replayed
from recipes.en_small.gpu.result import write_result

__all__ = ["Trainer", "train"]

LOG_EVERY = 100
VALIDATE_EVERY_S = 75.0


def train(
    parts: Path, out: Path, clock: Clock, log: Callable[[str], None], device: torch.device
) -> None:
    """Train until the deadline on all parts that have been decoded by the time of each epoch.

    Writes two checkpoints to ``out``: the last, and the one with the lowest loss in validation.

    Raises:
        DataError: there is no folder of parts, or its first part is not decoded by the deadline.
    """
    head = parts / "part0"
    while not (head / DECODED).exists():
        if not parts.is_dir() or clock.progress() >= 1.0:
            raise DataError(f"{head}: not decoded; pack recordings, and run decode on each part")
        time.sleep(0.2)
    trainer = Trainer(parts, device, log)
    random = np.random.default_rng(trainer.config.seed)
    batcher = Batcher(trainer.config)
    trainer.validate()
    validated = time.monotonic()
    clock.start()
    while clock.progress() < 1.0:
        if trainer.corpus.refresh():
            log(f"{trainer.corpus.parts} parts, {len(trainer.corpus.samples) / 57.6e6:.1f} h")
        batches = _epoch(trainer, batcher, random)
        while (batch := trainer.wait_for(batches)) is not None:
            frames, draws = batch
            progress = clock.progress()
            if progress >= 1.0:
                break
            trainer.step(frames, draws, progress, random)
        if time.monotonic() - validated > VALIDATE_EVERY_S:
            if trainer.validate():
                write_result(trainer.checkpoint(), out, "best")
            validated = time.monotonic()
    if trainer.validate():
        write_result(trainer.checkpoint(), out, "best")
    write_result(trainer.checkpoint(), out, "last")
    write_bytes(out / "tokens.txt", (head / "tokens.txt").read_bytes())


def _epoch(
    trainer: Trainer, batcher: Batcher, random: np.random.Generator
) -> Iterator[tuple[int, Draws]]:
    yield from batcher.feed(draw_training(trainer.corpus, trainer.config, random), random)


@dataclass
class _Meter:
    """What is printed every ``LOG_EVERY`` steps; sums stay on the device."""

    loss: Tensor
    tokens: float = 0.0
    audio_s: float = 0.0
    padded_s: float = 0.0
    waiting_s: float = 0.0
    since: float = 0.0


class Trainer:
    """The network, its optimiser, and one step of training."""

    def __init__(self, parts: Path, device: torch.device, log: Callable[[str], None]) -> None:
        head = parts / "part0"
        self.log, self.device = log, device
        self.config = msgspec.json.decode((head / "config.json").read_bytes(), type=TrainConfig)
        self.names: list[str] = json.loads((head / "validation.json").read_text())
        self.trigram = torch.from_numpy(np.load(head / "trigram.npy")).to(device)
        self.corpus = Corpus(parts, device)
        self.corpus.refresh()
        torch.manual_seed(self.config.seed)
        self.net = _start(self.config, self.trigram.shape[0], np.load(head / "start.npz"))
        self.net.to(device)
        self.averaged = AcousticNet(self.config.net, self.trigram.shape[0]).to(device).eval()
        self.averaged.load_state_dict(self.net.state_dict())
        self.optimiser = FusedMuon(self.net, self.config.optimiser.weight_decay)
        self.steps = 0
        self.history: list[dict[str, float]] = []
        self._features = Replayed(lambda samples: (self.net.features(samples)[0],))
        self._partition = Replayed(
            lambda log_probs, frames: forward_backward(log_probs, frames, self.trigram)
        )
        self._meter = _Meter(torch.zeros((), device=device), since=time.monotonic())
        self._rooms = room_responses(self.corpus, self.config.frontend.sample_rate)

    def step(self, frames: int, draws: Draws, progress: float, random: np.random.Generator) -> None:
        """Train on one batch."""
        config, net = self.config, self.net
        n = frames * config.net.frame_samples
        rate, augment = config.frontend.sample_rate, config.augment
        valid = output_frames(draws, self.config.net)
        net.train()
        with torch.no_grad():
            samples = assemble(self.corpus, draws, n)
            total = self._to_device(draws.total)[:, None]
            if len(self._rooms):
                rooms = random.choice(len(self._rooms), round(len(draws) * augment.rooms_prob))
                samples = reverberate(samples, total, self._rooms[self._to_device(rooms)])
            samples = limit_bandwidth(samples, round(len(draws) * augment.bandwidth_prob), rate)
            (features,) = self._features(samples)
            mel_frames = self._to_device(valid) * config.encoder.subsampling
            features = mask(features, mel_frames, augment)
        log_probs = net.encoder(features, net.encoder.start(len(draws)))[0]
        loss, tokens = self._loss(log_probs, draws, valid, self._partition)
        (loss / max(1, tokens)).backward()
        lr = learning_rate(config.optimiser, self.steps, progress)
        self.optimiser.step(lr, config.optimiser.clip)
        self._average()
        self.steps += 1
        self._report(draws, loss.detach(), tokens, frames, lr, progress)

    def wait_for(self, batches: Iterator[tuple[int, Draws]]) -> tuple[int, Draws] | None:
        """Return the next batch, or None, and count the time that choosing it took."""
        began = time.monotonic()
        batch = next(batches, None)
        self._meter.waiting_s += time.monotonic() - began
        return batch

    def _to_device(self, array: Ints) -> Tensor:
        """Copy an array without waiting for the device."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def _loss(
        self,
        log_probs: Tensor,
        draws: Draws,
        valid: Ints,
        partition: Callable[..., tuple[Tensor, ...]],
    ) -> tuple[Tensor, int]:
        """Return the sum of the loss over a batch, in nats, and its number of tokens."""
        lengths = np.where(
            draws.recording < 0, 0, self.corpus.recordings.target_lengths[draws.recording]
        )
        tokens = self.corpus.tokens(draws.recording)
        ctc = F.ctc_loss(
            log_probs.transpose(0, 1),
            self._to_device(tokens),
            torch.from_numpy(valid),
            torch.from_numpy(lengths),
            reduction="sum",
            zero_infinity=True,
        )
        weight = self.config.ctc_crf_weight
        if weight:
            frames = self._to_device(valid)
            ctc = ctc + weight * _Partition.apply(log_probs, frames, partition)  # type: ignore[no-untyped-call]
        return ctc, len(tokens)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.optimiser.ema, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(
            list(self.averaged.parameters()), list(self.net.parameters()), 1.0 - decay
        )

    def _report(
        self, draws: Draws, loss: Tensor, tokens: int, frames: int, lr: float, progress: float
    ) -> None:
        meter, rate = self._meter, self.config.frontend.sample_rate
        meter.loss += loss
        meter.tokens += tokens
        meter.audio_s += float(draws.total.sum()) / rate
        meter.padded_s += len(draws) * frames * self.config.net.frame_samples / rate
        if self.steps % LOG_EVERY and self.steps not in (1, 2, 5, 10, 20, 50):
            return
        loss_per_token = float(meter.loss) / max(1.0, meter.tokens)
        now = time.monotonic()
        seconds = now - meter.since
        self.log(
            f"step {self.steps}  {100 * progress:.1f} %  loss {loss_per_token:.4f}  lr {lr:.5f}  "
            f"{meter.audio_s / seconds:.0f} times real time, {seconds:.1f} s, "
            f"{100 * meter.waiting_s / seconds:.1f} % waiting, "
            f"{100 * meter.audio_s / meter.padded_s:.0f} % filled"
        )
        self._meter = _Meter(torch.zeros((), device=self.device), since=now)

    @torch.no_grad()
    def validate(self) -> bool:
        """Log the loss of the averaged weights on each validation set, in nats per token.

        Returns:
            whether their mean is the lowest so far.
        """
        self.averaged.load_state_dict(
            {**self.net.state_dict(), **dict(self.averaged.named_parameters())}
        )
        metrics: dict[str, float] = {"step": float(self.steps)}
        for number, name in enumerate(self.names):
            total = count = 0.0
            for frames, draws in self._plain(VALIDATION + number):
                samples = assemble(self.corpus, draws, frames * self.config.net.frame_samples)
                log_probs = self.averaged(samples)[0]
                valid = output_frames(draws, self.config.net)
                loss, tokens = self._loss(log_probs, draws, valid, self._eager_partition)
                total, count = total + float(loss), count + tokens
            metrics[f"{name} loss"] = round(total / max(1.0, count), 4)
        mean = sum(metrics[f"{name} loss"] for name in self.names) / max(1, len(self.names))
        lowest = mean < min([one["mean loss"] for one in self.history], default=math.inf)
        self.history.append({**metrics, "mean loss": mean})
        self.log(f"validation {metrics}")
        self._meter.since = time.monotonic()
        return lowest

    def _eager_partition(self, log_probs: Tensor, frames: Tensor) -> tuple[Tensor, ...]:
        return forward_backward(log_probs, frames, self.trigram)

    def _plain(self, kind: int) -> Iterator[tuple[int, Draws]]:
        batcher = Batcher(self.config)
        plain = draw_plain(self.corpus, self.corpus.of_kind(kind))
        yield from batcher.feed(plain, np.random.default_rng(0))
        yield from batcher.rest()

    def checkpoint(self) -> Checkpoint:
        """Return the averaged weights as a checkpoint."""
        averaged = {**self.net.state_dict(), **dict(self.averaged.named_parameters())}
        return Checkpoint(
            config=self.config,
            vocab_size=self.trigram.shape[0],
            weights={name: value.detach().cpu().clone() for name, value in averaged.items()},
            global_step=self.steps,
            history=self.history,
        )


class _Partition(torch.autograd.Function):
    """The sum of the log-partition, with a given ``forward_backward``."""

    @staticmethod
    def forward(
        ctx: Any, log_probs: Tensor, frames: Tensor, function: Callable[..., tuple[Tensor, ...]]
    ) -> Tensor:
        total, occupancies = function(log_probs.detach().contiguous(), frames)
        ctx.save_for_backward(torch.nan_to_num(occupancies))
        return torch.nan_to_num(total).sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (occupancies,) = ctx.saved_tensors
        return occupancies * grads[0], None, None


def _start(config: TrainConfig, vocab_size: int, arrays: Any) -> AcousticNet:
    """Build the network with the packed weights; additional layers output 0 at first."""
    net = AcousticNet(config.net, vocab_size)
    kept = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}
    for index, layer in enumerate(net.encoder.forwards):
        if f"encoder.norms.{index}.weight" not in kept:
            layer.zero_output()  # type: ignore[operator]
    net.load_state_dict({**net.state_dict(), **kept})
    return net
