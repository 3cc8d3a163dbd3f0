"""Muon and AdamW with few kernel launches, and none that the host waits for."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asr_gru.training.muon import MOMENTUM, orthogonalise

__all__ = ["FusedMuon"]


class FusedMuon:
    """Muon for the matrices between features and head, AdamW for the rest, in a few launches."""

    def __init__(self, net: nn.Module, weight_decay: float) -> None:
        inner = {
            name: p
            for name, p in net.named_parameters()
            if p.ndim == 2 and not name.startswith(("encoder.head", "encoder.lookahead"))
        }
        self._all = list(net.parameters())
        self._weight_decay = weight_decay
        self._groups: dict[tuple[int, ...], list[Tensor]] = {}
        for p in inner.values():
            self._groups.setdefault(tuple(p.shape), []).append(p)
        self._momentum = {
            shape: torch.zeros(len(group), *shape, device=group[0].device)
            for shape, group in self._groups.items()
        }
        rest = [p for name, p in net.named_parameters() if name not in inner]
        device = self._all[0].device.type
        self._adamw = torch.optim.AdamW(
            rest, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0, foreach=True
        )
        self._dtype = torch.bfloat16 if device == "cuda" else torch.float32

    @torch.no_grad()
    def step(self, lr: float, clip: float) -> None:
        """Clip the gradients, update the weights, and drop the gradients.

        A gradient that is not finite counts as 0; nothing waits for the device.
        """
        grads = [p.grad for p in self._all if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        finite = torch.isfinite(norm)
        factor = torch.where(finite, (clip / norm).clamp(max=1.0), 0.0)
        for grad in grads:
            torch.nan_to_num_(grad, 0.0, 0.0, 0.0)
        torch._foreach_mul_(grads, factor)
        for shape, group in self._groups.items():
            stacked = torch.stack([p.grad for p in group if p.grad is not None])
            momentum = self._momentum[shape].lerp_(stacked, 1.0 - MOMENTUM)
            directions = orthogonalise(stacked.lerp(momentum, MOMENTUM), self._dtype)
            torch._foreach_mul_(group, 1.0 - lr * self._weight_decay)
            scale = -0.2 * lr * math.sqrt(max(shape))
            torch._foreach_add_(group, list(directions.unbind()), alpha=scale)
        for one in self._adamw.param_groups:
            one["lr"] = lr
        self._adamw.step()
        for p in self._all:
            p.grad = None
