"""Optimiser, learning rate and averaged weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asr_gru.training.config import OptimiserConfig

__all__ = ["learning_rate", "make_optimiser", "update_average"]


def make_optimiser(net: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """Build the optimiser; only matrices decay."""
    matrices = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98))
    if config.name == "adam":
        return torch.optim.Adam(groups, lr=config.rate, betas=(0.9, 0.98))
    if config.name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=config.rate)
    return torch.optim.SGD(groups, lr=config.rate, momentum=0.9, nesterov=True)


def learning_rate(config: OptimiserConfig, step: int, progress: float) -> float:
    """Return the rate at ``step`` (from 0), ``progress`` of all passes being done (0 to 1)."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.decay == "none":
        return config.rate * warm
    fall = progress if config.decay == "linear" else (1.0 - math.cos(math.pi * progress)) / 2
    return config.rate * warm * (1.0 - (1.0 - config.last_rate) * fall)


def update_average(average: dict[str, Tensor], net: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards the weights, faster in the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in net.state_dict().items():
            average[name].lerp_(value, 1.0 - decay)
