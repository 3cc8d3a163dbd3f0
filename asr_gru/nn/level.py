"""Causal normalisation of the level of the speaker and the response of the microphone.

A level follower tracks the logarithm of the summed mel energy, once per output frame, with time
constants ``attack_s`` (rising) and ``decay_s`` (falling) and a prior that counts as ``start_s`` of
audio. Energies are divided by the level before the logarithm and its floor, so the floor moves
with the level.

Then ``cmvn`` normalises each mel bin by its running mean and variance (online CMVN, Viikki and
Laurila 1998), which start at the training set's, give pauses little weight, and are updated once
per output frame. Both are causal and part of the exported graph. Measurements are in
``docs/architecture.md``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asr_gru.model.net_config import LevelConfig
from asr_gru.nn.recurrent import State

__all__ = ["LevelNormaliser"]

NEPERS_PER_DB = math.log(10.0) / 10.0


class LevelNormaliser(nn.Module):
    """Turns mel energies into features of mean 0 and variance 1 over the training set."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: LevelConfig, mels: int, block: int, block_s: float) -> None:
        """Build a normaliser whose statistics are updated every ``block`` mel frames.

        Args:
            config: time constants and bounds.
            mels: number of mel bins.
            block: mel frames per output frame.
            block_s: duration of a block in seconds.
        """
        super().__init__()
        self.config = config
        self.block = block
        self.attack = 1.0 - math.exp(-block_s / config.attack_s)
        self.decay = 1.0 - math.exp(-block_s / config.decay_s)
        self.prior_blocks = config.start_s / block_s
        self.prior = config.prior_db * NEPERS_PER_DB
        self.lowest = config.lowest_db * NEPERS_PER_DB
        self.floor = math.exp(config.floor_db * NEPERS_PER_DB)
        self.gate = config.cmvn_gate_db * NEPERS_PER_DB
        self.ramp = config.cmvn_ramp_db * NEPERS_PER_DB
        self.window = config.cmvn_window_s / block_s
        self.mean_prior = config.cmvn_mean_prior_s / block_s
        self.variance_prior = config.cmvn_variance_prior_s / block_s
        self.register_buffer("mean", torch.zeros(mels))
        self.register_buffer("scale", torch.ones(mels))

    def start(self, batch: int) -> State:
        """Return the initial state.

        The level (relative to the prior) and its age in blocks, each ``(batch, 1)``. With
        ``cmvn``, also the mean of each bin in standard deviations of the training set, its
        variance minus 1, each ``(batch, mels)``, and the number of speech blocks, ``(batch, 1)``.
        """
        one, bins = (self.mean.new_zeros(batch, n) for n in (1, len(self.mean)))
        return (one, one) if self.config.cmvn == "none" else (one, one, bins, bins, one)

    def forward(self, mel: Tensor, state: State) -> tuple[Tensor, State]:
        """Normalise energies ``(batch, frames, mels)``, frames a multiple of the block.

        Returns:
            features of the same shape, and the next state.
        """
        x, weights, followed = self.level_features(mel, state[:2])
        if self.config.cmvn != "none":
            x, tracked = self._normalise_bins(x, weights, state[2:])
            followed += tracked
        return x.reshape(mel.shape), followed

    def level_features(self, mel: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Compute the features before ``cmvn``.

        Returns:
            features ``(batch, blocks, block, mels)``; the weight of each block in the running
            statistics, ``(batch, blocks)``, from 0 (pause) to 1; the next level and age.
        """
        batch, frames, mels = mel.shape
        blocks = mel.reshape(batch, frames // self.block, self.block, mels)
        energy = torch.log(blocks.sum(dim=(2, 3)) / self.block + 1e-10)
        if self.config.follow:
            level, state = self._follow(energy, state)
        else:
            level = torch.zeros_like(energy)
        gain = torch.exp(-(level + self.prior))[:, :, None, None]
        x = (torch.log(blocks * gain + self.floor) - self.mean) * self.scale
        pause = torch.clamp(level + (self.prior - self.gate), min=self.lowest - self.ramp)
        weights = torch.clamp((energy - pause) / self.ramp, 0.0, 1.0)
        return x, weights, state

    def _normalise_bins(self, x: Tensor, weights: Tensor, state: State) -> tuple[Tensor, State]:
        mean, variance, age = state
        ages = torch.clamp(age + torch.cumsum(weights, dim=1), max=self.window)
        rates = weights / torch.clamp(ages + self.mean_prior, max=self.window)
        means, mean = _running(x.mean(dim=2), rates, mean)
        x = x - means[:, :, None]
        if self.config.cmvn == "mean_variance":
            rates = weights / torch.clamp(ages + self.variance_prior, max=self.window)
            variances, variance = _running(x.square().mean(dim=2) - 1.0, rates, variance)
            spread = torch.clamp(1.0 + variances, min=self.config.cmvn_min_std**2).sqrt()
            x = x / spread[:, :, None]
        return x, (mean, variance, ages[:, -1:])

    def _follow(self, energy: Tensor, state: State) -> tuple[Tensor, State]:
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


def _running(values: Tensor, rates: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Update a moving average ``state (batch, mels)`` with ``values (batch, blocks, mels)``.

    Returns:
        the average after each block, and after the last one.
    """
    states = []
    for value, rate in zip(values.unbind(1), rates[:, :, None].unbind(1), strict=True):
        state = torch.lerp(state, value, rate)
        states.append(state)
    return torch.stack(states, dim=1), state
