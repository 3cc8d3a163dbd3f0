"""A run that starts from another begins where that one was."""

from __future__ import annotations

import pytest
import torch

from asr_gru.errors import ConfigError
from asr_gru.nn.net import AcousticNet
from asr_gru.text import build_characters
from asr_gru.training.checkpoint import NAME, Checkpoint, net_from_checkpoint, save_checkpoint
from asr_gru.training.config import TrainConfig, parse_train_config
from asr_gru.training.initialise import fresh_start

TOKENS = build_characters(["abc"])


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


def test_a_look_ahead_that_is_added_begins_as_a_delay(earlier, tmp_path):
    before = earlier()
    state = fresh_start(config(lookahead=3), tmp_path, TOKENS, None)
    after = net_from_checkpoint(state)
    samples = 0.1 * torch.randn(2, 20 * 640)
    with torch.no_grad():
        expected, found = before(samples)[0], after(samples)[0]
    torch.testing.assert_close(found[:, 3:], expected[:, :-3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("wanted", [2, 8])
def test_another_subsampling_keeps_the_newest_frames(earlier, tmp_path, wanted):
    before = earlier(subsampling=4).encoder.subsample.weight.reshape(8, 8, 80)
    state = fresh_start(config(subsampling=wanted), tmp_path, TOKENS, None)
    after = state.weights["encoder.subsample.weight"].reshape(8, 2 * wanted, 80)
    kept = min(8, 2 * wanted)
    assert torch.equal(after[:, -kept:], before[:, -kept:])
    assert not after[:, :-kept].any()


@pytest.mark.parametrize(
    ("was", "wanted"),
    [({"lookahead": 2}, {}), ({"lookahead": 2}, {"lookahead": 3}), ({}, {"width": 12})],
)
def test_another_network_is_refused(earlier, tmp_path, was, wanted):
    earlier(**was)
    with pytest.raises(ConfigError, match="another model"):
        fresh_start(config(**wanted), tmp_path, TOKENS, None)
