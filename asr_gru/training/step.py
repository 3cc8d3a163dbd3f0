"""One step of training: features, masks, the losses, and the weights moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from asr_gru.nn.net import AcousticNet
from asr_gru.training.augment import mask_features
from asr_gru.training.config import TrainConfig
from asr_gru.training.dataset import Batch
from asr_gru.training.distributed import Processes
from asr_gru.training.loss import objective
from asr_gru.training.optimiser import Optimiser, learning_rate
from asr_gru.training.phones import UNKNOWN, PhoneHead

__all__ = ["Learner", "Losses"]


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of one batch.

    Attributes:
        tokens: CTC, in nats per token.
        phones: of the phone head in nats per frame, or None.
        rate: learning rate.
        moved: False where the gradient was not finite, so that the weights stayed as they were.
    """

    tokens: float
    phones: float | None
    rate: float
    moved: bool = True


@dataclass(frozen=True, slots=True)
class Learner:
    """What moves the weights.

    Attributes:
        net: the acoustic model.
        head: the head that names phones, or None.
        optimiser: of both.
        config: of the run.
        processes: this one and the others, which average their gradients.
    """

    net: AcousticNet
    head: PhoneHead | None
    optimiser: Optimiser
    config: TrainConfig
    processes: Processes

    def step(self, batch: Batch, step: int, progress: float, seed: tuple[int, ...]) -> Losses:
        """Learn from ``batch``; ``progress`` of all passes (0 to 1) is done, ``step`` steps."""
        net, config, device = self.net, self.config, self.processes.device
        random = np.random.default_rng((*seed, 1))
        torch.manual_seed(int(random.integers(2**31)))
        net.train()
        with torch.no_grad():
            features, _ = net.features(batch.samples.to(device))
            mel_frames = batch.frames.numpy() * config.encoder.subsampling
            views = [features] * (2 if config.cr_ctc_weight else 1)
            features = torch.cat(
                [mask_features(v, mel_frames, config.augment, random) for v in views]
            )
        frames = batch.frames.to(device)
        state = net.encoder.start(features.shape[0])
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            log_probs, _, hidden = net.encoder.encode(
                features, state, frames.repeat(len(views)), self._tap
            )
        loss = objective(
            log_probs.float(),
            batch.targets.to(device),
            frames,
            batch.target_lengths.to(device),
            config.cr_ctc_weight,
        )
        phones = self._phone_loss(batch, hidden, len(views))
        of_tokens, of_phones = self._shares(batch)
        whole = of_tokens * loss
        if phones is not None:
            whole = whole + of_phones * self._weight(progress) * phones
        self.optimiser.zero_grad(set_to_none=True)
        whole.backward()  # type: ignore[no-untyped-call]
        rate = learning_rate(config.optimiser, step, progress)
        moved = self._move(rate)
        named = None if phones is None else float(phones.detach())
        return Losses(float(loss.detach()), named, rate, moved)

    @property
    def _tap(self) -> int | None:
        return None if self.head is None else self.config.phones.layer

    def _phone_loss(self, batch: Batch, hidden: Tensor | None, views: int) -> Tensor | None:
        if self.head is None or hidden is None or batch.phones is None:
            return None
        return self.head.loss(hidden, batch.phones.to(self.processes.device).repeat(views, 1))

    def _shares(self, batch: Batch) -> list[float]:
        """Return what the losses are multiplied by, so that all processes' batches weigh as one."""
        known = 0 if batch.phones is None else int((batch.phones != UNKNOWN).sum())
        counts = [int(batch.target_lengths.sum()), known]
        shares: list[float] = self.processes.shares(
            torch.tensor(counts, dtype=torch.float)
        ).tolist()
        return shares

    def _weight(self, progress: float) -> float:
        phones = self.config.phones
        return phones.weight * (1.0 - (1.0 - phones.final_weight_ratio) * progress)

    def _move(self, rate: float) -> bool:
        parameters = [*self.net.parameters(), *(self.head.parameters() if self.head else ())]
        self.processes.average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.config.optimiser.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        finite = bool(torch.isfinite(norm))
        if finite:
            self.optimiser.step()
        return finite
