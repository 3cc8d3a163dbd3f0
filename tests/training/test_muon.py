from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from asr_gru.training.distributed import PeerLostError
from asr_gru.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@pytest.mark.parametrize("shape", [(8, 8), (24, 6), (5, 40)])
def test_singular_values_approach_one(shape: tuple[int, int], dtype: torch.dtype | None):
    torch.manual_seed(0)
    result = orthogonalise(torch.randn(*shape), dtype)
    assert result.dtype == torch.float32
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_zero_matrices_stay_zero():
    assert not orthogonalise(torch.zeros(3, 4)).any()


@pytest.mark.parametrize("shape", [(16, 16), (48, 16)])
def test_updates_agree_with_torch_in_bfloat16(shape: tuple[int, int]):
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


class Pair:
    """Two processes that run one after the other; each sums the contributions of both."""

    world_size = 2

    def __init__(self, rank: int, brought: list[torch.Tensor]):
        self.rank, self.brought = rank, brought

    def all_reduce_(self, values: torch.Tensor) -> None:
        self.brought.append(values.clone())
        if len(self.brought) == 2:
            values.copy_(self.brought[0] + self.brought[1])


def test_processes_share_the_work_and_have_equal_updates():
    torch.manual_seed(0)
    begin = [torch.randn(6, 4), torch.randn(3, 5), torch.randn(4, 4)]
    grads = [torch.randn_like(matrix) for matrix in begin]

    def moved(processes) -> list[torch.Tensor]:
        matrices = [nn.Parameter(matrix.clone()) for matrix in begin]
        for matrix, grad in zip(matrices, grads, strict=True):
            matrix.grad = grad.clone()
        Muon(matrices, 0.1, 0.1, processes).step()
        return [matrix.detach() for matrix in matrices]

    brought: list[torch.Tensor] = []
    moved(Pair(0, brought))
    assert all(torch.equal(a, b) for a, b in zip(moved(Pair(1, brought)), moved(None), strict=True))
    assert all(0 < part.count_nonzero() < part.numel() for part in brought)


class Lost(Pair):
    """A process whose peer is gone from its second step on."""

    def all_reduce_(self, values: torch.Tensor) -> None:
        self.brought.append(values)
        if len(self.brought) > 1:
            raise PeerLostError("gone")


def test_a_step_in_which_a_process_is_lost_changes_nothing():
    matrices = [nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(3, 5))]
    muon = Muon(matrices, 0.1, 0.1, Lost(0, []))
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    muon.step()
    before = copy.deepcopy((muon.state_dict(), matrices))
    with pytest.raises(PeerLostError):
        muon.step()
    for one, other in zip(before[1], matrices, strict=True):
        assert torch.equal(one, other)
    for index, state in before[0]["state"].items():
        assert torch.equal(state["momentum"], muon.state_dict()["state"][index]["momentum"])
