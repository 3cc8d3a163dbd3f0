"""Which recurrent layer is faster here: measured, because it depends on the processor."""

from __future__ import annotations

import time

import torch

from asr_gru.nn.bf16_gru import bf16_gru_available
from asr_gru.nn.recurrent import RecurrentLayer

__all__ = ["bf16_is_faster", "seconds_per_step"]


def seconds_per_step(
    layer: RecurrentLayer, frames: int = 100, batch: int = 16, tries: int = 3
) -> float:
    """Return the best time of a forward and backward pass over ``frames`` frames."""
    x = torch.randn(frames, batch, layer.width, requires_grad=True)
    best = float("inf")
    layer.train()
    for _ in range(tries):
        began = time.perf_counter()
        layer(x, layer.start(batch))[0].sum().backward()
        best = min(best, time.perf_counter() - began)
    return best


def bf16_is_faster(width: int) -> bool:
    """Race the own bfloat16 GRU against ``nn.GRU``."""
    if not bf16_gru_available():
        return False
    with torch.random.fork_rng(devices=[]):
        layer = RecurrentLayer("gru", width)
        plain = seconds_per_step(layer)
        layer.fast = True
        return seconds_per_step(layer) < plain
