"""Which recurrent layer is the fastest here: measured, because it depends on the processor."""

from __future__ import annotations

import time

import torch

from asr_gru.nn.fast_gru import bf16_available
from asr_gru.nn.recurrent import RecurrentLayer
from asr_gru.training.config import Layer

__all__ = ["LAYERS", "race_layers", "seconds_per_step"]

LAYERS: dict[Layer, torch.dtype | None] = {
    "torch": None,
    "float32": torch.float32,
    "bf16": torch.bfloat16,
}
"""Names of a configuration's ``gru_kernel`` and what ``RecurrentLayer.fast`` is for each."""


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


def race_layers(width: int) -> dict[Layer, float]:
    """Return seconds of each of ``LAYERS`` for a GRU of ``width`` units."""
    with torch.random.fork_rng(devices=[]):
        seconds: dict[Layer, float] = {}
        for name, dtype in LAYERS.items():
            layer = RecurrentLayer("gru", width, dtype)
            able = dtype != torch.bfloat16 or bf16_available()
            seconds[name] = seconds_per_step(layer) if able else float("inf")
    return seconds
