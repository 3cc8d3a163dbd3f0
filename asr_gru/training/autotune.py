"""Picks the fastest GRU kernel by timing each, because it depends on the processor."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from asr_gru.errors import ConfigError
from asr_gru.nn.fast_gru import bf16_available
from asr_gru.nn.gru_loops import compiled_loops
from asr_gru.nn.recurrent import RecurrentLayer
from asr_gru.training.config import GruKernel, TrainConfig
from asr_gru.training.distributed import Processes

__all__ = ["KERNELS", "choose_kernel", "time_kernels", "time_layer"]

KERNELS: dict[GruKernel, torch.dtype | None] = {
    "torch": None,
    "float32": torch.float32,
    "bf16": torch.bfloat16,
}
"""``kernel_dtype`` of ``RecurrentLayer`` for each value of ``gru_kernel``."""


def time_layer(
    layer: RecurrentLayer, frames: int = 100, batch: int = 16, repeats: int = 3
) -> float:
    """Return the shortest time in seconds of a forward and backward pass over ``frames`` frames."""
    x = torch.randn(frames, batch, layer.width, requires_grad=True)
    best = float("inf")
    layer.train()
    for _ in range(repeats):
        began = time.perf_counter()
        layer(x, layer.start(batch))[0].sum().backward()
        best = min(best, time.perf_counter() - began)
    return best


def time_kernels(width: int) -> dict[GruKernel, float]:
    """Return the time of each kernel for a GRU of ``width`` units; infinite if unavailable."""
    with torch.random.fork_rng(devices=[]):
        seconds: dict[GruKernel, float] = {}
        for name, dtype in KERNELS.items():
            layer = RecurrentLayer("gru", width, dtype)
            available = dtype != torch.bfloat16 or bf16_available()
            seconds[name] = time_layer(layer) if available else float("inf")
    return seconds


def choose_kernel(
    config: TrainConfig, processes: Processes, log: Callable[[str], None]
) -> GruKernel:
    """Return the kernel of a run: that of its configuration, or the fastest in all processes.

    Raises:
        ConfigError: the processor cannot run the kernel of the configuration.
    """
    name: GruKernel = config.gru_kernel
    if config.encoder.cell != "gru" or processes.device.type != "cpu":
        name = "torch"
    if name == "bf16" and not bf16_available():
        raise ConfigError(
            'gru_kernel = "bf16" needs a CPU with AVX-512 and torch with oneDNN; '
            'set gru_kernel = "float32"'
        )
    if name == "auto" and config.precision == "bf16":
        name = "bf16" if bf16_available() else "torch"
    if name == "auto":
        times = time_kernels(config.encoder.width)
        if config.precision == "float32":
            times.pop("bf16", None)
        seconds = torch.tensor(list(times.values()))
        processes.all_reduce_(seconds)
        name = list(times)[int(seconds.argmin())]
    how = ""
    if KERNELS[name] is not None:
        how = ", its loops " + ("compiled" if compiled_loops() else "in Python: no C++ compiler")
    log(f"GRU kernel: {name}{how}")
    return name
