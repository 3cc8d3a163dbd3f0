"""Initialisation of weights, at random or from another run."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from asr_gru.errors import ConfigError
from asr_gru.model.net_config import LevelConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.text import build_character_tokenizer
from asr_gru.training.checkpoint import NAME, Checkpoint, net_from_checkpoint, save_checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.initialise import initial_checkpoint

TOKENS = build_character_tokenizer(["abc"])


def config(**encoder) -> TrainConfig:
    return parse_train_config(
        {"data": {"train": ["t"]}, "encoder": {"layers": 2, "width": 8, **encoder}}
    )


@pytest.fixture
def earlier(tmp_path):
    def save(**encoder) -> AcousticNet:
        torch.manual_seed(3)
        made = config(**encoder)
        net = AcousticNet(made.net, len(TOKENS)).eval()
        save_checkpoint(Checkpoint(made, len(TOKENS), net.state_dict()), tmp_path / NAME)
        return net

    return save


def test_an_added_look_ahead_starts_as_a_delay(earlier, tmp_path):
    before = earlier()
    state = initial_checkpoint(config(lookahead=3), tmp_path, TOKENS, None)
    after = net_from_checkpoint(state)
    samples = 0.1 * torch.randn(2, 20 * 640)
    with torch.no_grad():
        expected, found = before(samples)[0], after(samples)[0]
    torch.testing.assert_close(found[:, 3:], expected[:, :-3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("wanted", [2, 8])
def test_another_subsampling_keeps_the_newest_frames(earlier, tmp_path, wanted):
    before = earlier(subsampling=4).encoder.subsample.weight.reshape(8, 8, 80)
    state = initial_checkpoint(config(subsampling=wanted), tmp_path, TOKENS, None)
    after = state.weights["encoder.subsample.weight"].reshape(8, 2 * wanted, 80)
    kept = min(8, 2 * wanted)
    assert torch.equal(after[:, -kept:], before[:, -kept:])
    assert not after[:, :-kept].any()


def test_recurrent_layers_are_initialised_orthogonal_or_uniform():
    recordings = Recordings()
    largest = {}
    for name in ("orthogonal", "uniform"):
        made = msgspec.structs.replace(config(direction="bi", width=24), recurrent_init=name)
        state = initial_checkpoint(made, None, TOKENS, recordings)
        for part in ("forwards", "backwards"):
            gate = state.weights[f"encoder.{part}.1.rnn.weight_hh_l0"][:24]
            distance = (gate @ gate.T - torch.eye(24)).abs().max()
            largest[name, part] = float(distance)
    assert max(largest["orthogonal", part] for part in ("forwards", "backwards")) < 1e-5
    assert min(largest["uniform", part] for part in ("forwards", "backwards")) > 0.3


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("direction", ["uni", "bi"])
def test_added_layers_output_zero_at_first_and_learn(earlier, tmp_path, cell, direction):
    before = earlier(cell=cell, direction=direction)
    state = initial_checkpoint(
        config(cell=cell, direction=direction, layers=4), tmp_path, TOKENS, None
    )
    after = net_from_checkpoint(state)
    samples = 0.1 * torch.randn(2, 20 * 640)
    with torch.no_grad():
        expected = before(samples)[0]
    found = after(samples)[0]
    torch.testing.assert_close(found.detach(), expected, rtol=0, atol=1e-6)
    found[..., 1].sum().backward()
    for layers in (after.encoder.forwards, after.encoder.backwards):
        for layer in layers:
            grad = layer.get_parameter("rnn.weight_ih_l0").grad
            assert grad is not None
            assert grad.abs().max() > 0


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("new_head", [False, True])
def test_a_backward_direction_outputs_zero_at_first_and_learns(earlier, tmp_path, cell, new_head):
    before = earlier(cell=cell)
    state = initial_checkpoint(
        config(cell=cell, direction="bi"), tmp_path, TOKENS, None, new_head=new_head
    )
    after = net_from_checkpoint(state)
    after.encoder.head.load_state_dict(before.encoder.head.state_dict())
    samples = 0.1 * torch.randn(2, 20 * 640)
    with torch.no_grad():
        expected = before(samples)[0]
    found = after(samples)[0]
    torch.testing.assert_close(found.detach(), expected, rtol=0, atol=1e-6)
    found[..., 1].sum().backward()
    for layer in after.encoder.backwards:
        assert layer.get_parameter("rnn.weight_ih_l0").grad.abs().max() > 0


@pytest.mark.parametrize(
    "wanted",
    [{"direction": "bi"}, {"direction": "chunked", "chunk_frames": 8, "right_frames": 4}],
    ids=str,
)
def test_a_look_ahead_gives_way_to_a_backward_direction(earlier, tmp_path, wanted):
    """Its weights of each unit add up in the head: in a steady state both compute the same."""
    before = earlier(lookahead=2)
    with torch.no_grad():
        before.encoder.lookahead += 0.3 * torch.randn_like(before.encoder.lookahead)
    made = config(lookahead=2)
    save_checkpoint(Checkpoint(made, len(TOKENS), before.state_dict()), tmp_path / NAME)
    after = net_from_checkpoint(initial_checkpoint(config(**wanted), tmp_path, TOKENS, None))
    samples = torch.zeros(1, 200 * 640)
    with torch.no_grad():
        expected, found = before(samples)[0], after(samples)[0]
    torch.testing.assert_close(found[:, 100:180], expected[:, 100:180], rtol=0, atol=1e-4)
    assert not torch.allclose(before.encoder.head.weight, after.encoder.head.weight)


def test_a_backward_direction_is_not_dropped(earlier, tmp_path):
    earlier(direction="bi")
    for wanted in ({}, {"direction": "chunked"}):
        with pytest.raises(ConfigError, match="a different model"):
            initial_checkpoint(config(**wanted), tmp_path, TOKENS, None)


def test_fewer_layers_are_refused(earlier, tmp_path):
    earlier(layers=3)
    with pytest.raises(ConfigError, match="a different model"):
        initial_checkpoint(config(layers=2), tmp_path, TOKENS, None)


class Recordings:
    """Recordings on which statistics are measured."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        time = np.arange(48_000) / 16_000
        loud = np.maximum(np.sin(2 * np.pi * 0.5 * time), 0.0)  # a second of speech, one of pause
        self.rows = [
            (0.1 * loud * random.standard_normal(len(time))).astype(np.float32) for _ in range(3)
        ]
        self.kept = range(3)
        self.corpus = self

    def samples(self, index: int) -> np.ndarray:
        return self.rows[index]


def test_a_new_subsampler_is_random_below_the_old_layers(earlier, tmp_path):
    before = earlier(lookahead=1).state_dict()
    lines: list[str] = []
    wanted = config(lookahead=1, subsampler="conv", subsampling=3)
    state = initial_checkpoint(wanted, tmp_path, TOKENS, Recordings(), log=lines.append)
    for name, value in before.items():
        new = name.startswith(("encoder.subsample.", "level."))
        assert new or torch.equal(state.weights[name], value), name
    assert state.weights["level.mean"].abs().min() > 0
    assert len(lines) == 1
    assert lines[0].endswith("newly initialised: conv.first, conv.second, subsample")
    save_checkpoint(state, tmp_path / NAME)
    again = initial_checkpoint(wanted, tmp_path, TOKENS, None, log=lines.append)
    assert all(torch.equal(again.weights[name], value) for name, value in state.weights.items())
    assert lines[1].endswith("no new layers")


def test_statistics_are_measured_on_speech_with_cmvn():
    """Half of the audio is silent, so the mean over all frames is far below that over speech."""
    means = {}
    for cmvn in ("none", "mean_variance"):
        made = msgspec.structs.replace(config(), level=LevelConfig(cmvn=cmvn))
        state = initial_checkpoint(made, None, TOKENS, Recordings())
        means[cmvn] = float(state.weights["level.mean"].mean())
        net = net_from_checkpoint(state)
        samples = torch.from_numpy(np.stack(Recordings().rows))[:, : 75 * 640]
        with torch.no_grad():
            x, weights, _ = net.level.level_features(
                net.frontend(samples, net.frontend.start(3))[0], net.level.start(3)[:2]
            )
        if cmvn == "none":
            weights = torch.ones_like(weights)
        share = weights[:, :, None, None] / weights.sum() / 4
        assert (share * x).sum(dim=(0, 1, 2)).abs().max() < 1e-3
        assert ((share * x.square()).sum(dim=(0, 1, 2)) - 1).abs().max() < 1e-2
    assert means["mean_variance"] > means["none"] + 1.0


@pytest.mark.parametrize(
    ("was", "wanted"),
    [({"lookahead": 2}, {}), ({"lookahead": 2}, {"lookahead": 3}), ({}, {"width": 12})],
)
def test_another_network_is_refused(earlier, tmp_path, was, wanted):
    earlier(**was)
    with pytest.raises(ConfigError, match="a different model"):
        initial_checkpoint(config(**wanted), tmp_path, TOKENS, None)
