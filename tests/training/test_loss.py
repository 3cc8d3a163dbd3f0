from __future__ import annotations

import pytest
import torch
from torch import Tensor

from asr_gru.nn.ctc import ctc_loss
from asr_gru.training.loss import consistency_loss, training_loss

TARGETS, LENGTHS, FRAMES = torch.tensor([1, 2, 3, 1]), torch.tensor([3, 1]), torch.tensor([9, 6])


def distributions(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 9, 4, generator=generator).log_softmax(dim=2)


def test_the_loss_of_one_view_is_per_token():
    log_probs = distributions(0)
    expected = ctc_loss(log_probs, TARGETS, FRAMES, LENGTHS).sum() / 4
    assert training_loss(log_probs, TARGETS, FRAMES, LENGTHS, 0.0).item() == pytest.approx(
        expected.item()
    )


def test_equal_views_have_no_consistency_loss():
    log_probs = distributions(0)
    assert consistency_loss(log_probs, log_probs, FRAMES).item() == 0.0
    both = training_loss(torch.cat([log_probs, log_probs]), TARGETS, FRAMES, LENGTHS, 0.3)
    one = training_loss(log_probs, TARGETS, FRAMES, LENGTHS, 0.0)
    assert both.item() == pytest.approx(one.item(), rel=1e-6)


def test_consistency_is_the_mean_of_both_divergences_over_valid_frames():
    first, second = distributions(0), distributions(1)
    expected = 0.0
    for row, frames in enumerate(FRAMES.tolist()):
        a, b = first[row, :frames].exp(), second[row, :frames].exp()
        expected += 0.5 * float((a * (a / b).log()).sum() + (b * (b / a).log()).sum())
    assert consistency_loss(first, second, FRAMES).item() == pytest.approx(expected, rel=1e-5)
    beyond = first.clone()
    beyond[1, 6:] = second[1, 6:]
    assert consistency_loss(beyond, second, FRAMES).item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_makes_views_more_similar():
    first, second = distributions(0).requires_grad_(), distributions(1)
    loss = consistency_loss(first, second, FRAMES)
    (slope,) = torch.autograd.grad(loss, first)
    nearer = (first - 0.01 * slope).log_softmax(dim=2)
    assert consistency_loss(nearer, second, FRAMES) < loss


def test_the_weight_scales_the_consistency_loss():
    views = torch.cat([distributions(0), distributions(1)])
    losses = [training_loss(views, TARGETS, FRAMES, LENGTHS, w).item() for w in (0.1, 0.2, 0.3)]
    assert losses[1] - losses[0] == pytest.approx(losses[2] - losses[1], rel=1e-3)
    assert losses[0] < losses[1]


def test_a_batch_of_noise_only_has_a_loss():
    nothing = torch.zeros(0, dtype=torch.long)
    loss = training_loss(distributions(0), nothing, FRAMES, torch.tensor([0, 0]), 0.0)
    blank = distributions(0)[..., 0]
    assert loss.item() == pytest.approx(-float(blank[0].sum() + blank[1, :6].sum()), rel=1e-5)
