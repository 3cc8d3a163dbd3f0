from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from asr_gru.nn.fast_gru import BLOCK, bf16_available, fast_gru

BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 0.02}
"""Of the distance from torch, relative to the size."""


@pytest.fixture(params=list(BOUNDS), ids=["float32", "bfloat16"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    if request.param == torch.bfloat16 and not bf16_available():
        pytest.skip("torch without packed products")
    return request.param


def gradients(
    frames: int, batch: int, inputs: int, width: int, fast: torch.dtype | None
) -> list[Tensor]:
    torch.manual_seed(1)
    layer = nn.GRU(inputs, width)
    nn.init.orthogonal_(layer.weight_hh_l0)
    x = torch.randn(frames, batch, inputs, requires_grad=True)
    start = (0.5 * torch.randn(batch, width)).requires_grad_()
    towards = torch.randn(frames, batch, width)
    weights = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0]
    y = fast_gru(x, *weights, start, fast) if fast else layer(x, start[None])[0]
    (y * towards).sum().backward()
    return [y.detach(), *(leaf.grad for leaf in (x, start, *weights))]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("frames", "batch", "inputs", "width"),
    [(1, 2, 8, 16), (BLOCK, 3, 32, 32), (BLOCK + 5, 4, 24, 48), (50, 1, 64, 64)],
)
def test_close_to_torch_forward_and_backward(
    frames: int, batch: int, inputs: int, width: int, dtype: torch.dtype
):
    expected = gradients(frames, batch, inputs, width, fast=None)
    found = gradients(frames, batch, inputs, width, fast=dtype)
    names = ["output", "x", "start", "w_in", "w_h", "b_in", "b_h"]
    for name, a, b in zip(names, expected, found, strict=True):
        assert b.dtype == torch.float32
        assert (a - b).norm() < BOUNDS[dtype] * a.norm(), name


def test_repeats_to_the_bit(dtype: torch.dtype):
    first = gradients(20, 3, 16, 16, fast=dtype)
    second = gradients(20, 3, 16, 16, fast=dtype)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
