"""One training step: features, masks, losses, backward pass and weight update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from asr_gru.nn.net import AcousticNet
from asr_gru.training.augment import mask_features
from asr_gru.training.carry import carried_state
from asr_gru.training.config import TrainConfig
from asr_gru.training.dataset import Batch
from asr_gru.training.distillation import Teacher
from asr_gru.training.distributed import Processes
from asr_gru.training.loss import training_loss
from asr_gru.training.optimiser import Optimiser, learning_rate
from asr_gru.training.phone_times import IGNORE_INDEX
from asr_gru.training.phones import PhoneHead

__all__ = ["Losses", "StepResult", "TrainStep"]


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of a batch, still part of the graph of gradients.

    Attributes:
        total: what is minimised.
        ctc: nats per token, the terms of CR-CTC and CTC-CRF included.
        phone: nats per frame, or None without a phone head.
        distillation: as in ``StepResult``, or None without a teacher.
        log_probs: output of the network, ``(views * batch, frames, vocab_size)``.
    """

    total: Tensor
    ctc: Tensor
    phone: Tensor | None
    distillation: Tensor | None
    log_probs: Tensor


@dataclass(frozen=True, slots=True)
class StepResult:
    """Losses and learning rate of one step.

    Attributes:
        ctc_loss: nats per token, the terms of CR-CTC and CTC-CRF included.
        phone_loss: nats per frame, or None without a phone head.
        distillation_loss: divergence from the teacher in nats per token, or None without one.
        learning_rate: learning rate of the step.
        gradient_norm: norm of the gradient of all weights, before it is clipped.
    """

    ctc_loss: float
    phone_loss: float | None
    distillation_loss: float | None
    learning_rate: float
    gradient_norm: float

    @property
    def finite(self) -> bool:
        """Whether the gradient was finite; if not, the weights were left unchanged."""
        return math.isfinite(self.gradient_norm)


@dataclass(frozen=True, slots=True)
class TrainStep:
    """Runs the forward and backward pass on a batch and updates the weights.

    Attributes:
        net: the acoustic network.
        head: the frame-wise phone head, or None.
        optimiser: optimiser over the parameters of both.
        config: configuration of the run.
        processes: the processes that average their gradients.
        trigram: trigram over tokens for CTC-CRF, or None.
        teacher: the teacher that the net is distilled from, or None.
    """

    net: AcousticNet
    head: PhoneHead | None
    optimiser: Optimiser
    config: TrainConfig
    processes: Processes
    trigram: Tensor | None = None
    teacher: Teacher | None = None

    def __call__(
        self, batch: Batch, global_step: int, progress: float, seed: tuple[int, ...]
    ) -> StepResult:
        """Run one optimiser step on ``batch``; see ``accumulate``."""
        return self.accumulate([(batch, seed)], global_step, progress)

    def accumulate(
        self, batches: Sequence[tuple[Batch, tuple[int, ...]]], global_step: int, progress: float
    ) -> StepResult:
        """Run one optimiser step on the sum of the gradients of several batches.

        The result is that of one batch with all their utterances, in the memory of the largest.

        Args:
            batches: this process's batches, each with the seed of its masks and dropout.
            global_step: steps taken so far in the run.
            progress: fraction of training completed, 0 to 1.
        """
        counts = torch.tensor([_counts(batch) for batch, _ in batches], dtype=torch.float)
        shares = self.processes.shares(counts)
        weights = (counts.clamp(min=1) / counts.sum(dim=0).clamp(min=1)).tolist()
        if len(batches) == 1:
            weights = [[1.0, 1.0]]
        self.optimiser.zero_grad(set_to_none=True)
        sums: list[float | None] = [None, None, None]
        for number, (batch, seed) in enumerate(batches):
            losses = self.losses(batch, progress, seed, shares[number])
            losses.total.backward()  # type: ignore[no-untyped-call]
            token_weight, frame_weight = weights[number]
            sums = [
                _add(sums[0], losses.ctc, token_weight),
                _add(sums[1], losses.phone, frame_weight),
                _add(sums[2], losses.distillation, token_weight),
            ]
        lr = learning_rate(self.config.optimiser, global_step, progress)
        return StepResult(
            ctc_loss=sums[0] or 0.0,
            phone_loss=sums[1],
            distillation_loss=sums[2],
            learning_rate=lr,
            gradient_norm=self._update(lr),
        )

    def losses(
        self,
        batch: Batch,
        progress: float,
        seed: tuple[int, ...],
        shares: Tensor | None = None,
    ) -> Losses:
        """Compute the losses of a batch, as a step does: in training mode, with masks and dropout.

        Args:
            batch: this process's batch.
            progress: fraction of training completed, 0 to 1.
            seed: seed of masks and dropout.
            shares: factors of the CTC loss and the phone loss, ``(2,)``; by default those of a step
                on this batch alone.
        """
        net, config, device = self.net, self.config, self.processes.device
        random = np.random.default_rng((*seed, 1))
        torch.manual_seed(int(random.integers(2**31)))
        net.train()
        with torch.no_grad():
            samples = batch.samples.to(device)
            state = net.start(len(samples))
            if config.augment.carry_prob:
                prob = config.augment.carry_prob
                state = carried_state(net, samples, batch.frames, prob, random)
            features, _ = net.features(samples, state)
            mel_frames = batch.frames.numpy() * config.encoder.subsampling
            views = [features] * (2 if config.cr_ctc_weight else 1)
            features = torch.cat(
                [mask_features(v, mel_frames, config.augment, random) for v in views]
            )
        frames = batch.frames.to(device)
        encoder_state = tuple(
            torch.cat([array] * len(views)) for array in state[net.feature_states :]
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=self._is_mixed):
            log_probs, _, hidden = net.encoder.encode(
                features, encoder_state, frames.repeat(len(views)), self._tap
            )
        ctc_loss = training_loss(
            log_probs.float(),
            batch.targets.to(device),
            frames,
            batch.target_lengths.to(device),
            config.cr_ctc_weight,
            config.ctc_crf_weight,
            self.trigram,
        )
        phone_loss = self._phone_loss(batch, hidden, len(views))
        distillation_loss = self._distillation_loss(log_probs, samples, batch)
        if shares is None:
            shares = self.processes.shares(torch.tensor([_counts(batch)], dtype=torch.float))[0]
        token_share, frame_share = shares.tolist()
        loss = token_share * ctc_loss
        if distillation_loss is not None:
            loss = loss + token_share * config.distillation.weight * distillation_loss
        if phone_loss is not None:
            loss = loss + frame_share * self._phone_weight(progress) * phone_loss
        return Losses(loss, ctc_loss, phone_loss, distillation_loss, log_probs.float())

    @property
    def _is_mixed(self) -> bool:
        precision = self.config.precision
        return precision == "bf16" or (precision == "auto" and self.processes.device.type == "cuda")

    @property
    def _tap(self) -> int | None:
        return None if self.head is None else self.config.phones.layer

    def _phone_loss(self, batch: Batch, hidden: Tensor | None, views: int) -> Tensor | None:
        if self.head is None or hidden is None or batch.phones is None:
            return None
        return self.head.loss(hidden, batch.phones.to(self.processes.device).repeat(views, 1))

    def _distillation_loss(self, log_probs: Tensor, samples: Tensor, batch: Batch) -> Tensor | None:
        if self.teacher is None:
            return None
        frames = batch.frames.to(samples.device)
        delay = self.config.encoder.delay
        tokens = batch.target_lengths.sum().clamp(min=1).to(samples.device)
        return self.teacher.loss(log_probs.float(), samples, frames, delay) / tokens

    def _phone_weight(self, progress: float) -> float:
        phones = self.config.phones
        return phones.weight * (1.0 - (1.0 - phones.final_weight_ratio) * progress)

    def _update(self, lr: float) -> float:
        """Average, clip and apply the gradients; return their norm, which may not be finite."""
        parameters = [*self.net.parameters(), *(self.head.parameters() if self.head else ())]
        self.processes.average_gradients(parameters)
        norm = float(nn.utils.clip_grad_norm_(parameters, self.config.optimiser.clip))
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        if math.isfinite(norm):
            self.optimiser.step()
        return norm


def _counts(batch: Batch) -> list[int]:
    """Return the number of tokens of a batch, and of frames with a phone."""
    labelled = 0 if batch.phones is None else int((batch.phones != IGNORE_INDEX).sum())
    return [int(batch.target_lengths.sum()), labelled]


def _add(total: float | None, loss: Tensor | None, weight: float) -> float | None:
    return total if loss is None else (total or 0.0) + weight * float(loss.detach())
