"""The recurrent part of ``nn/encoder.py`` alone, for any sequence of vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from asr_gru.errors import ConfigError
from asr_gru.nn.recurrent import RecurrentLayer, State
from asr_gru.training.autotune import KERNELS, time_kernels
from asr_gru.training.config import OptimiserConfig
from asr_gru.training.optimiser import build_optimiser, learning_rate

__all__ = ["RecurrentStack", "fastest_kernel", "train_steps"]


class RecurrentStack(nn.Module):
    """Pre-norm residual GRU layers, with a norm at the end."""

    def __init__(
        self,
        layers: int,
        width: int,
        *,
        dropout: float = 0.0,
        kernel_dtype: torch.dtype | None = None,
    ) -> None:
        """Build a stack; ``kernel_dtype`` as for ``RecurrentLayer``."""
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.layers = nn.ModuleList(
            RecurrentLayer("gru", width, kernel_dtype) for _ in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def start(self, batch: int) -> State:
        """Return the initial state, one ``(batch, width)`` per layer."""
        return tuple(layer.start(batch)[0] for layer in self.layers)  # type: ignore[operator]

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the stack over ``x (frames, batch, width)``; return outputs and the next state.

        A sequence can be cut anywhere: the state carries over, as in a stream of speech.
        """
        following: list[Tensor] = []
        for norm, layer, before in zip(self.norms, self.layers, state, strict=True):
            y, after = layer(norm(x), (before,))
            following.extend(after)
            x = x + self.dropout(y)
        return self.norm(x), tuple(following)


def fastest_kernel(width: int) -> torch.dtype | None:
    """Return ``kernel_dtype`` of the fastest GRU for this width on this processor."""
    times = time_kernels(width)
    return KERNELS[min(times, key=lambda name: times[name])]


def train_steps(
    net: nn.Module,
    loss_of: Callable[[int], Tensor],
    steps: int,
    *,
    config: OptimiserConfig,
    on_step: Callable[[int, float], None] = lambda _step, _loss: None,
) -> None:
    """Train ``net`` for ``steps`` steps with the optimiser and schedule of ``asr-gru train``.

    Args:
        net: the network, which is in training mode at every step.
        loss_of: returns the loss of a step, from 0.
        steps: number of steps.
        config: optimiser, learning rate and its schedule.
        on_step: receives the number of steps taken and the loss of the last one.

    Raises:
        ConfigError: the loss of a step is not finite.
    """
    optimiser = build_optimiser(net, config)
    with subnormals_flushed():
        for step in range(steps):
            net.train()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, step, step / steps)
            loss = loss_of(step)
            if not math.isfinite(value := float(loss.detach())):
                raise ConfigError(
                    f"the loss of step {step + 1} is {value}; lower the learning rate"
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
            optimiser.step()
            on_step(step + 1, value)


@contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Flush subnormal numbers to zero within the context, as states that decay become subnormal.

    Arithmetic on them is slow. The setting belongs to the thread, and other code relies on
    subnormal numbers, so it is switched off again.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
