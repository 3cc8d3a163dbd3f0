from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from asr_gru.nn.bf16_gru import BLOCK, bf16_gru, bf16_gru_available

pytestmark = pytest.mark.skipif(not bf16_gru_available(), reason="torch without packed products")


def gradients(frames: int, batch: int, inputs: int, width: int, fast: bool) -> list[Tensor]:
    torch.manual_seed(1)
    layer = nn.GRU(inputs, width)
    nn.init.orthogonal_(layer.weight_hh_l0)
    x = torch.randn(frames, batch, inputs, requires_grad=True)
    start = (0.5 * torch.randn(batch, width)).requires_grad_()
    towards = torch.randn(frames, batch, width)
    weights = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0]
    y = bf16_gru(x, *weights, start) if fast else layer(x, start[None])[0]
    (y * towards).sum().backward()
    return [y.detach(), *(leaf.grad for leaf in (x, start, *weights))]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("frames", "batch", "inputs", "width"),
    [(1, 2, 8, 16), (BLOCK, 3, 32, 32), (BLOCK + 5, 4, 24, 48), (50, 1, 64, 64)],
)
def test_close_to_torch_forward_and_backward(frames: int, batch: int, inputs: int, width: int):
    expected = gradients(frames, batch, inputs, width, fast=False)
    found = gradients(frames, batch, inputs, width, fast=True)
    names = ["output", "x", "start", "w_in", "w_h", "b_in", "b_h"]
    for name, a, b in zip(names, expected, found, strict=True):
        assert b.dtype == torch.float32
        assert (a - b).norm() < 0.02 * a.norm(), name


def test_repeats_to_the_bit():
    first = gradients(20, 3, 16, 16, fast=True)
    second = gradients(20, 3, 16, 16, fast=True)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
