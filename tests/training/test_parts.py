"""Batches, augmentation, objective, schedule: the parts of a training step."""

import numpy as np
import pytest
import torch

from asr_gru.errors import ConfigError, ModelError
from asr_gru.training.augment import Augmenter, mask_features
from asr_gru.training.batches import NOISE, plan_pass
from asr_gru.training.checkpoint import load_checkpoint
from asr_gru.training.config import (
    AugmentConfig,
    OptimiserConfig,
    load_train_config,
    parse_train_config,
)
from asr_gru.training.objective import consistency_loss, objective
from asr_gru.training.optimiser import learning_rate, make_optimiser

RATE = 16_000
DURATIONS = np.random.default_rng(0).uniform(1.0, 10.0, 200)


def plan(**changes):
    settings = {
        "batch_s": 30.0,
        "processes": 2,
        "noise_only": 0.1,
        "seed": 1,
        "number": 0,
        "ascending": False,
    }
    return plan_pass(DURATIONS, [1.0] * len(DURATIONS), **{**settings, **changes})


def seen(steps):
    return [index for step in steps for batch in step for index in batch]


def test_a_pass_holds_every_utterance():
    steps = plan()
    assert set(seen(steps)) == {*range(200), NOISE}
    assert seen(steps).count(NOISE) >= 20
    assert all(len(step) == 2 for step in steps)
    for step in steps:
        for batch in step:
            lengths = [4.0 if index == NOISE else DURATIONS[index] for index in batch]
            assert len(batch) == 1 or len(batch) * max(lengths) <= 30.0


def test_a_plan_follows_from_seed_and_pass():
    assert plan() == plan()
    assert plan() != plan(number=1)
    assert plan() != plan(seed=2)


def test_the_first_pass_rises():
    order = seen(plan(ascending=True, noise_only=0.0, processes=1))
    assert list(DURATIONS[order]) == sorted(DURATIONS)


def test_weights_thin_out():
    weights = [0.0] * 100 + [1.0] * 100
    steps = plan_pass(
        DURATIONS,
        weights,
        batch_s=30.0,
        processes=1,
        noise_only=0.0,
        seed=1,
        number=0,
        ascending=False,
    )
    assert set(seen(steps)) == set(range(100, 200))


class Clips:
    """Stands for a corpus of noise or rooms."""

    def __init__(self, *clips):
        self.clips = clips

    def __len__(self):
        return len(self.clips)

    def samples(self, index):
        return self.clips[index]


SPEECH = (np.random.default_rng(1).standard_normal(RATE) * 0.1).astype(np.float32)
HUM = np.sin(np.arange(RATE // 2) / 20).astype(np.float32)
ECHO = np.zeros(4_000, np.float32)
ECHO[100], ECHO[3_000] = 0.5, 0.25


@pytest.mark.parametrize(
    "change",
    [
        {"noise": "x", "noise_share": 1.0},
        {"rooms": "x", "rooms_share": 1.0},
        {"babble_share": 1.0},
        {"speed_share": 1.0},
        {"bandwidth_share": 1.0},
        {"gain_db": (-10.0, -5.0)},
    ],
)
def test_every_variation_varies_and_repeats(change):
    augmenter = Augmenter(AugmentConfig(**change), RATE, Clips(HUM), Clips(ECHO))

    def vary(seed):
        return augmenter(SPEECH, np.random.default_rng(seed), lambda: HUM)

    varied = vary(0)
    assert varied.dtype == np.float32
    assert len(varied) != len(SPEECH) or not np.array_equal(varied, SPEECH)
    np.testing.assert_array_equal(varied, vary(0))
    assert (len(varied) == len(SPEECH)) is ("speed_share" not in change)


def test_nothing_asked_nothing_done():
    augmenter = Augmenter(AugmentConfig(), RATE, None, None)
    varied = augmenter(SPEECH, np.random.default_rng(0), lambda: HUM)
    np.testing.assert_array_equal(varied, SPEECH)


def test_noise_has_the_asked_level():
    config = AugmentConfig(noise="x", noise_share=1.0, snr_db=(10.0, 10.0))
    varied = Augmenter(config, RATE, Clips(HUM), None)(
        SPEECH, np.random.default_rng(0), lambda: HUM
    )
    added = varied - SPEECH
    ratio = 20 * np.log10(np.std(SPEECH) / np.sqrt(np.mean(added**2)))
    assert abs(ratio - 10.0) < 0.2


def test_masks_fall_within_the_utterance():
    config = AugmentConfig(frequency_masks=2, time_masks=30, time_width=20)
    features = torch.ones(2, 100, 80)
    masked = mask_features(features, np.array([100, 40]), config, np.random.default_rng(0))
    assert (features == 1).all()
    assert (masked == 0).any()
    columns = masked[1, 40:].min(dim=0).values
    assert (masked[1, 40:] == columns).all()


def test_consistency_is_zero_for_equal_views_and_pulls_others_together():
    torch.manual_seed(0)
    one, two = torch.randn(2, 3, 10, 5).log_softmax(-1)
    frames = torch.tensor([10, 7, 3])
    assert float(consistency_loss(one, one, frames)) == 0
    assert float(consistency_loss(one, two, frames)) > 0
    cut = two.clone()
    cut[2, 3:] = one[2, 3:]
    torch.testing.assert_close(
        consistency_loss(one, two, frames), consistency_loss(one, cut, frames)
    )


def test_one_view_twice_is_the_plain_loss():
    torch.manual_seed(0)
    log_probs = torch.randn(2, 12, 5).log_softmax(-1)
    rest = (torch.tensor([1, 2, 3]), torch.tensor([12, 12]), torch.tensor([2, 1]))
    plain = objective(log_probs, *rest, 0.0)
    torch.testing.assert_close(objective(torch.cat([log_probs] * 2), *rest, 0.5), plain)


@pytest.mark.parametrize("decay", ["none", "linear", "cosine"])
def test_the_rate_warms_up_and_falls(decay):
    config = OptimiserConfig(rate=1.0, warmup_steps=10, decay=decay, last_rate=0.1)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(config, 10, 0.0) == 1.0
    assert learning_rate(config, 99, 1.0) == pytest.approx(1.0 if decay == "none" else 0.1)


@pytest.mark.parametrize("name", ["adamw", "adam", "rmsprop", "sgd"])
def test_every_optimiser_moves_weights_and_spares_biases_from_decay(name):
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 2)
    optimiser = make_optimiser(net, OptimiserConfig(name=name, rate=0.1))
    before = net.weight.detach().clone()
    net(torch.randn(4, 3)).square().sum().backward()
    optimiser.step()
    assert not torch.equal(net.weight, before)
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.01, 0.0]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"data": {"train": ["a"]}, "pases": 1}, "'passes'"),
        ({"data": {"train": ["a"], "batchs": 1}}, "'batch_s'"),
        ({"data": {"train": ["a"]}, "encoder": {"cell": "grru"}}, "grru"),
        ({"data": {"train": ["a"]}, "augment": {"noise_share": 0.5}}, "folders"),
        ({"data": {"train": ["a"]}, "encoder": {"direction": "bi", "lookahead": 2}}, "lookahead"),
        ({}, "data"),
    ],
)
def test_wrong_configurations_are_explained(values, named):
    with pytest.raises(ConfigError, match=named):
        parse_train_config(values)


def test_changes_from_the_command_line(tmp_path):
    (tmp_path / "c.toml").write_text('[data]\ntrain = ["a"]\n')
    changed = load_train_config(
        tmp_path / "c.toml", ["passes=3", "encoder.cell=lstm", "augment.gain_db=[-3.0, 3.0]"]
    )
    assert (changed.passes, changed.encoder.cell) == (3, "lstm")
    assert changed.augment.gain_db == (-3.0, 3.0)
    with pytest.raises(ConfigError, match=r"key\.name=value"):
        load_train_config(tmp_path / "c.toml", ["passes"])


@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04" + b"\0" * 100])
def test_foreign_checkpoints_are_refused(tmp_path, data):
    (tmp_path / "checkpoint.pt").write_bytes(data)
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_checkpoint(tmp_path)
    with pytest.raises(ModelError, match="no checkpoint"):
        load_checkpoint(tmp_path / "elsewhere")
