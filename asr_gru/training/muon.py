"""Muon (Jordan et al. 2024): orthogonalised momentum, for the matrices between features and head.

``torch.optim.Muon`` always does this in bfloat16, which on a CPU without matrix units for it costs
more than the rest of a training step. Here bfloat16 is used where it is fast, and the type of the
weights elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from asr_gru.training.distributed import Processes

__all__ = ["Muon", "bf16_is_fast", "orthogonalise"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
MOMENTUM = 0.95


def bf16_is_fast(device: torch.device) -> bool:
    """Return whether products of bfloat16 matrices are faster than those of float32."""
    if device.type != "cpu":
        return device.type == "cuda"
    has_tiles = getattr(torch.cpu, "_is_amx_tile_supported", None)  # torch has no public name
    return has_tiles is not None and bool(has_tiles())


def orthogonalise(matrix: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Bring all singular values of ``matrix`` close to 1 (0.7 to 1.2), by Newton-Schulz.

    Args:
        matrix: ``(rows, columns)``, or several of one shape, ``(matrices, rows, columns)``.
        dtype: type of the products; default: that of ``matrix``.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    multiply_add = torch.addmm if matrix.ndim == 2 else torch.baddbmm
    x = matrix.mT if tall else matrix
    x = (x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)).to(dtype or matrix.dtype)
    for _ in range(STEPS):
        square = x @ x.mT
        square = multiply_add(square, square, square, beta=b, alpha=c)
        x = multiply_add(x, square, x, beta=a)
    return (x.mT if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum, scaled to AdamW's step size (Liu et al. 2025).

    Processes have equal gradients, so each orthogonalises a part of the matrices.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        processes: Processes | None = None,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})
        self._processes = processes

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update all matrices."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            momenta = [self._momentum(matrix) for matrix in matrices]
            directions = self._directions(matrices, momenta)  # fails if a process is gone
            lr = group["lr"]
            for matrix, momentum, direction in zip(matrices, momenta, directions, strict=True):
                self.state[matrix]["momentum"] = momentum
                matrix.mul_(1.0 - lr * group["weight_decay"])
                matrix.add_(direction, alpha=-0.2 * lr * max(matrix.shape) ** 0.5)
        return loss

    def _momentum(self, matrix: nn.Parameter) -> Tensor:
        """Return the momentum after this step; that of the state stays as it is."""
        assert matrix.grad is not None
        before = self.state.get(matrix, {}).get("momentum")
        before = torch.zeros_like(matrix) if before is None else before
        return before.lerp(matrix.grad, 1.0 - MOMENTUM)

    def _directions(self, matrices: list[nn.Parameter], momenta: list[Tensor]) -> list[Tensor]:
        def direction(matrix: nn.Parameter, momentum: Tensor) -> Tensor:
            assert matrix.grad is not None
            dtype = torch.bfloat16 if bf16_is_fast(matrix.device) else None
            return orthogonalise(matrix.grad.lerp(momentum, MOMENTUM), dtype)

        processes = self._processes
        pairs = list(zip(matrices, momenta, strict=True))
        if processes is None or processes.world_size == 1:
            return [direction(matrix, momentum) for matrix, momentum in pairs]
        directions = [
            direction(matrix, momentum)
            if n % processes.world_size == processes.rank
            else torch.zeros_like(matrix)
            for n, (matrix, momentum) in enumerate(pairs)
        ]
        flat = torch.cat([one.reshape(-1) for one in directions])
        processes.all_reduce_(flat)
        parts = torch.split(flat, [matrix.numel() for matrix in matrices])
        return [part.view_as(matrix) for part, matrix in zip(parts, matrices, strict=True)]
