from __future__ import annotations

import pytest
import torch
from torch import nn

from asr_gru.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (24, 6), (5, 40)])
def test_singular_values_come_near_one(shape: tuple[int, int]):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(*shape)))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_nothing_stays_nothing():
    assert not orthogonalise(torch.zeros(3, 4)).any()


@pytest.mark.parametrize("shape", [(16, 16), (48, 16)])
def test_moves_as_torch_does_in_bfloat16(shape: tuple[int, int]):
    torch.manual_seed(0)
    begin = torch.randn(*shape)
    ours, theirs = nn.Parameter(begin.clone()), nn.Parameter(begin.clone())
    settings = {"lr": 0.1, "weight_decay": 0.1}
    optimisers = [
        Muon([ours], **settings),
        torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **settings),
    ]
    for _ in range(5):
        grad = torch.randn(*shape)
        for weight, optimiser in zip((ours, theirs), optimisers, strict=True):
            weight.grad = grad.clone()
            optimiser.step()
    assert (ours - theirs).norm() < 0.02 * (theirs - begin).norm()
