"""The level question: features that do not change with the loudness of the talker.

A follower tracks the logarithm of the summed mel energy, once per output frame: up within
``attack_s``, down over ``decay_s``, and near its prior for the first ``start_s``. Energies are
divided by it before the logarithm and its floor, so the floor moves with the talker as well.
It looks at the past only, needs two numbers of state a stream, and is part of the graph.
``docs/architecture.md`` has what was measured against fixed statistics.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asr_gru.model.net_config import LevelConfig

__all__ = ["LevelNormaliser"]

NEPERS_PER_DB = math.log(10.0) / 10.0


class LevelNormaliser(nn.Module):
    """Mel energies to features of mean 0 and variance 1 over the training set."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: LevelConfig, mels: int, block: int, block_s: float) -> None:
        """Follow the level once every ``block`` mel frames, which last ``block_s`` seconds."""
        super().__init__()
        self.config = config
        self.block = block
        self.attack = 1.0 - math.exp(-block_s / config.attack_s)
        self.decay = 1.0 - math.exp(-block_s / config.decay_s)
        self.prior_blocks = config.start_s / block_s
        self.prior = config.prior_db * NEPERS_PER_DB
        self.lowest = config.lowest_db * NEPERS_PER_DB
        self.floor = math.exp(config.floor_db * NEPERS_PER_DB)
        self.register_buffer("mean", torch.zeros(mels))
        self.register_buffer("scale", torch.ones(mels))

    def start(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return level (relative to the prior) and age in blocks, each ``(batch, 1)``."""
        return self.mean.new_zeros(batch, 1), self.mean.new_zeros(batch, 1)

    def forward(
        self, mel: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Take energies ``(batch, frames, mels)``, frames a multiple of the block.

        Returns:
            features of the same shape and the next state.
        """
        batch, frames, mels = mel.shape
        blocks = mel.reshape(batch, frames // self.block, self.block, mels)
        if self.config.follow:
            energy = torch.log(blocks.sum(dim=(2, 3)) / self.block + 1e-10)
            level, state = self._follow(energy, state)
        else:
            level = mel.new_zeros(batch, frames // self.block)
        gain = torch.exp(-(level + self.prior))[:, :, None, None]
        features = torch.log(blocks * gain + self.floor).reshape(batch, frames, mels)
        return (features - self.mean) * self.scale, state

    def _follow(
        self, energy: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        level, age = state
        target = torch.clamp(energy, min=self.lowest) - self.prior
        levels = []
        for now in torch.split(target, 1, dim=1):
            falling = torch.clamp(1.0 / (age + self.prior_blocks), min=self.decay)
            rate = torch.where(now > level, torch.clamp(falling, min=self.attack), falling)
            level = level + rate * (now - level)
            age = age + 1.0
            levels.append(level)
        return torch.cat(levels, dim=1), (level, age)
