"""Initial states of utterances that other utterances left behind."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from asr_gru.model.net_config import EncoderConfig, LevelConfig, NetConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.training import carry
from asr_gru.training.carry import carried_state
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.dataset import Batch
from asr_gru.training.optimiser import build_optimiser
from asr_gru.training.step import TrainStep

from .conftest import ALONE

FRAMES = torch.tensor([20, 12, 16])
ENCODER = {"layers": 2, "width": 16, "lookahead": 2, "dropout": 0.0}


@pytest.fixture
def net():
    torch.manual_seed(0)
    level = LevelConfig(cmvn="mean_variance")
    return AcousticNet(NetConfig(level=level, encoder=EncoderConfig(**ENCODER)), vocab_size=5)


@pytest.fixture
def samples(net):
    torch.manual_seed(1)
    size = net.config.frame_samples
    rows = 0.1 * torch.randn(3, 20 * size)
    for row, frames in enumerate(FRAMES.tolist()):
        rows[row, (frames - 2) * size :] = 0.0
    return rows


def test_states_are_those_after_the_row_before(net, samples):
    state = carried_state(net, samples, FRAMES, 1.0, np.random.default_rng(0))
    assert net.training
    with torch.no_grad():
        _, expected = net.eval()(samples.roll(1, 0))
    for array, wanted in zip(state, expected, strict=True):
        torch.testing.assert_close(array, wanted)


def test_only_the_last_seconds_come_before(net, samples, monkeypatch):
    size = net.config.frame_samples
    monkeypatch.setattr(carry, "CARRIED_S", 5 * size / net.config.frontend.sample_rate)
    state = carried_state(net, samples, FRAMES, 1.0, np.random.default_rng(0))
    net.eval()
    for row, before in enumerate((2, 0, 1)):
        end = int(FRAMES[before]) * size  # with the delay
        with torch.no_grad():
            _, expected = net(samples[before, end - 5 * size : end][None])
        for array, wanted in zip(state, expected, strict=True):
            torch.testing.assert_close(array[row], wanted[0])


def test_other_rows_begin_at_zero(net, samples):
    rows = samples.repeat(40, 1)
    state = carried_state(net, rows, FRAMES.repeat(40), 0.3, np.random.default_rng(0))
    zero = torch.stack([array.flatten(1).abs().sum(1) == 0 for array in state[1:]]).all(0)
    assert 60 < int(zero.sum()) < 108


@pytest.mark.parametrize("views", [0.0, 0.2])
def test_a_step_begins_at_carried_states(net, samples, views):
    config = parse_train_config(
        {
            "data": {"train": ["train.tsv"]},
            "level": {"cmvn": "mean_variance"},
            "encoder": ENCODER,
            "cr_ctc_weight": views,
        }
    )
    targets = torch.tensor([1, 2, 3])
    batch = Batch(samples, FRAMES, targets, torch.tensor([1, 1, 1]))

    def log_probs(prob):
        augment = msgspec.structs.replace(config.augment, carry_prob=prob)
        changed = msgspec.structs.replace(config, augment=augment)
        step = TrainStep(net, None, build_optimiser(net, changed.optimiser), changed, ALONE)
        return step.losses(batch, 0.0, (1, 2)).log_probs.detach()

    fresh, carried = log_probs(0.0), log_probs(1.0)
    with torch.no_grad():
        torch.testing.assert_close(fresh[:3], net(samples)[0])
        state = carried_state(net, samples, FRAMES, 1.0, np.random.default_rng(0))
        expected, _ = net(samples, state)
    for first in range(0, len(carried), 3):
        torch.testing.assert_close(carried[first : first + 3], expected)
    assert not torch.allclose(fresh, carried)
