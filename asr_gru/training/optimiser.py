"""Optimisers, the learning rate schedule and the exponential moving average of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from asr_gru.training.config import OptimiserConfig
from asr_gru.training.distributed import Processes
from asr_gru.training.muon import Muon

__all__ = ["Optimiser", "build_optimiser", "learning_rate", "resume_optimiser", "update_ema"]


class Optimiser(Protocol):
    """The part of the interface of ``torch.optim.Optimizer`` that training uses."""

    param_groups: list[dict[str, Any]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients."""

    def step(self) -> Any:
        """Update the weights."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state to store in a checkpoint."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""


class _MuonAndAdamW:
    """Muon for the matrices between features and head, AdamW for the rest, at one learning rate."""

    def __init__(
        self,
        net: nn.Module,
        config: OptimiserConfig,
        extra: Sequence[nn.Parameter],
        processes: Processes | None,
    ) -> None:
        inner = {
            name: p
            for name, p in net.named_parameters()
            if p.ndim == 2 and not name.startswith(("encoder.head", "encoder.lookahead"))
        }
        rest = [p for name, p in net.named_parameters() if name not in inner]
        rest.extend(extra)
        self._optimisers: tuple[torch.optim.Optimizer, ...] = (
            Muon(inner.values(), config.learning_rate, config.weight_decay, processes),
            torch.optim.AdamW(rest, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
        )
        self.param_groups = [group for one in self._optimisers for group in one.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for one in self._optimisers:
            one.zero_grad(set_to_none)

    def step(self) -> None:
        for one in self._optimisers:
            one.step()

    def state_dict(self) -> dict[str, Any]:
        return {
            name: one.state_dict()
            for name, one in zip(("muon", "adamw"), self._optimisers, strict=True)
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, one in zip(("muon", "adamw"), self._optimisers, strict=True):
            one.load_state_dict(state_dict[name])
        self.param_groups = [group for one in self._optimisers for group in one.param_groups]


def build_optimiser(
    net: nn.Module,
    config: OptimiserConfig,
    head: nn.Module | None = None,
    processes: Processes | None = None,
) -> Optimiser:
    """Build the optimiser of ``net`` and ``head``; weight decay applies to matrices only."""
    extra = list(head.parameters()) if head is not None else []
    if config.name == "muon":
        return _MuonAndAdamW(net, config, extra, processes)
    parameters = [*net.parameters(), *extra]
    matrices = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))
    if config.name == "adam":
        return torch.optim.Adam(groups, lr=config.learning_rate, betas=(0.9, 0.98))
    if config.name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=config.learning_rate)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True)


def resume_optimiser(optimiser: Optimiser, state: dict[str, Any]) -> None:
    """Load the state of a checkpoint; the weight decay stays that of the configuration."""
    decays = [group["weight_decay"] for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, decay in zip(optimiser.param_groups, decays, strict=True):
        group["weight_decay"] = decay


def learning_rate(config: OptimiserConfig, step: int, progress: float) -> float:
    """Return the learning rate at ``step`` (from 0) and ``progress`` (0 to 1 over the run)."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.decay == "none":
        return config.learning_rate * warmup
    decayed = progress if config.decay == "linear" else (1.0 - math.cos(math.pi * progress)) / 2
    return config.learning_rate * warmup * (1.0 - (1.0 - config.final_lr_ratio) * decayed)


def update_ema(ema: dict[str, Tensor], net: nn.Module, decay: float, step: int) -> None:
    """Update the moving average in place; the decay is smaller in the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in net.state_dict().items():
            ema[name].lerp_(value, 1.0 - decay)
