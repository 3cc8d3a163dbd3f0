from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from asr_gru.training.config import OptimiserConfig
from asr_gru.training.optimiser import build_optimiser, learning_rate, update_ema


def test_the_learning_rate_warms_up_and_decays():
    config = OptimiserConfig(learning_rate=2.0, warmup_steps=10, decay="cosine", final_lr_ratio=0.1)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.2)
    assert learning_rate(config, 4, 0.0) == pytest.approx(1.0)
    assert learning_rate(config, 9, 0.0) == pytest.approx(2.0)
    assert learning_rate(config, 99, 0.5) == pytest.approx(2.0 * 0.55)
    assert learning_rate(config, 99, 1.0) == pytest.approx(0.2)
    linear = OptimiserConfig(learning_rate=2.0, warmup_steps=0, decay="linear", final_lr_ratio=0.5)
    assert learning_rate(linear, 0, 0.25) == pytest.approx(2.0 * 0.875)
    steady = OptimiserConfig(learning_rate=2.0, warmup_steps=0, decay="none")
    assert learning_rate(steady, 5, 0.9) == 2.0


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_the_learning_rate_never_rises_after_the_warm_up(decay):
    config = OptimiserConfig(warmup_steps=5, decay=decay)
    rates = [learning_rate(config, 5 + i, i / 50) for i in range(51)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("name", ["adamw", "adam", "rmsprop", "sgd", "muon"])
def test_each_optimiser_reduces_the_loss_and_decays_only_matrices(name):
    torch.manual_seed(0)
    net = nn.Linear(4, 1)
    optimiser = build_optimiser(
        net, OptimiserConfig(name=name, learning_rate=0.01, weight_decay=0.1)
    )
    decays = {p.ndim: g["weight_decay"] for g in optimiser.param_groups for p in g["params"]}
    assert decays == {2: 0.1, 1: 0.0}
    x, y = torch.randn(32, 4), torch.randn(32, 1)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = (net(x) - y).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_average_adapts_faster_at_first():
    net = nn.Linear(1, 1)
    nn.init.ones_(net.weight)
    for step, share in ((0, 0.9), (90, 0.1 * 0.9), (10_000, 0.01)):
        average = {name: torch.zeros_like(value) for name, value in net.state_dict().items()}
        update_ema(average, net, 0.99, step)
        assert average["weight"].item() == pytest.approx(share)


def test_muon_resumes_exactly_from_a_checkpoint():
    torch.manual_seed(0)
    x, y = torch.randn(32, 4), torch.randn(32, 1)

    def steps(net, optimiser, count):
        for _ in range(count):
            optimiser.zero_grad()
            (net(x) - y).square().mean().backward()
            optimiser.step()

    config = OptimiserConfig(name="muon", learning_rate=0.01)
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
    optimiser = build_optimiser(net, config)
    steps(net, optimiser, 3)
    again = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
    again.load_state_dict(net.state_dict())
    resumed = build_optimiser(again, config)
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    steps(net, optimiser, 3)
    steps(again, resumed, 3)
    for one, other in zip(net.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_weight_decay_and_ema_may_change_on_resuming(tone_corpus, tmp_path, name):
    before = tone_corpus.config(epochs=1, optimiser={"name": name, "ema": 0.0})
    tone_corpus.train(tmp_path, before)
    after = {"name": name, "ema": 0.9, "weight_decay": 0.3}
    state, _ = tone_corpus.train(tmp_path, tone_corpus.config(optimiser=after))
    saved = [state.optimiser] if name == "adamw" else state.optimiser.values()
    decays = {group["weight_decay"] for one in saved for group in one["param_groups"]}
    assert decays == {0.0, 0.3}
    assert any(not torch.equal(state.ema[key], state.weights[key]) for key in state.ema)
