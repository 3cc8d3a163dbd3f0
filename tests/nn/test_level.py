from __future__ import annotations

import pytest
import torch
from torch import Tensor

from asr_gru.model.net_config import LevelConfig
from asr_gru.nn.level import LevelNormaliser

BLOCK, BLOCK_S, MELS = 4, 0.04, 80


def normaliser(**changes: object) -> LevelNormaliser:
    """Return a normaliser with roughly the statistics of ``energies``."""
    net = LevelNormaliser(LevelConfig(**changes), MELS, BLOCK, BLOCK_S)  # type: ignore[arg-type]
    net.mean.fill_(-5.7)
    net.scale.fill_(0.6)
    return net


def energies(rows: int, seconds: float, seed: int = 0) -> Tensor:
    """Return mel energies of syllables of 200 ms, around the prior level of 20 dB."""
    generator = torch.Generator().manual_seed(seed)
    frames = int(seconds * 100)
    noise = torch.rand(rows, frames, MELS, generator=generator) + 0.05
    syllables = 0.02 + torch.sin(torch.arange(frames) / 100 * 2 * torch.pi * 2.5).clamp(min=0.0)
    return noise * syllables[None, :, None] * 3.0


every_kind = pytest.mark.parametrize("cmvn", ["none", "mean", "mean_variance"])


@every_kind
def test_rows_of_a_batch_are_independent(cmvn):
    net = normaliser(cmvn=cmvn)
    mel = energies(3, 1.2) * torch.tensor([0.001, 1.0, 50.0])[:, None, None]
    together, states = net(mel, net.start(3))
    for row in range(3):
        alone, state = net(mel[row : row + 1], net.start(1))
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-6)
        for one, other in zip(state, states, strict=True):
            torch.testing.assert_close(one[0], other[row])


@every_kind
def test_chunking_does_not_change_features(cmvn):
    net = normaliser(cmvn=cmvn)
    mel = energies(2, 1.2)
    whole, end = net(mel, net.start(2))
    parts, state = [], net.start(2)
    for part in torch.split(mel, [BLOCK, 5 * BLOCK, 24 * BLOCK], dim=1):
        y, state = net(part, state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, end)


@every_kind
def test_features_do_not_depend_on_gain_after_the_first_second(cmvn):
    net = normaliser(cmvn=cmvn)
    mel = energies(1, 6.0)
    reference, _ = net(mel, net.start(1))
    spread = reference.std()
    for gain_db in (-30.0, -15.0, 10.0):
        features, _ = net(mel * 10.0 ** (gain_db / 10.0), net.start(1))
        off = (features - reference).abs()[0]
        assert off[100:].mean() < (0.1 if cmvn == "none" else 0.15) * spread, gain_db
        assert off[300:].mean() < (0.05 if cmvn == "none" else 0.2) * spread, gain_db


@every_kind
def test_a_change_of_level_is_tracked(cmvn):
    net = normaliser(cmvn=cmvn)
    mel = energies(1, 8.0)
    reference, _ = net(mel, net.start(1))
    louder = mel.clone()
    louder[:, 300:] *= 100.0
    features, _ = net(louder, net.start(1))
    assert (features - reference)[:, 400:].abs().mean() < 0.15 * reference.std()


def test_without_tracking_features_depend_on_gain():
    net = normaliser(follow=False)
    mel = energies(1, 1.0)
    quiet, state = net(mel * 1e-2, net.start(1))
    loud, _ = net(mel, net.start(1))
    assert (loud - quiet).mean() > 1.0
    torch.testing.assert_close(state, net.start(1))


@every_kind
def test_silence_has_finite_features_and_is_not_amplified(cmvn):
    net = normaliser(cmvn=cmvn)
    silence, _ = net(torch.zeros(1, 4000, MELS), net.start(1))
    assert torch.isfinite(silence).all()
    faint, _ = net(torch.full((1, 4000, MELS), 1e-9), net.start(1))
    torch.testing.assert_close(faint, silence, rtol=0, atol=0.05)


def tilted_features(net: LevelNormaliser, mel: Tensor) -> Tensor:
    """Return features of ``mel`` recorded with a microphone that tilts the spectrum by 30 dB."""
    tilt = 10.0 ** (torch.linspace(-1.5, 1.5, MELS) - 0.5)
    return net(mel * tilt, net.start(mel.shape[0]))[0]


def test_mean_normalisation_removes_the_microphones_response():
    mel = energies(1, 8.0)
    off = {}
    for cmvn in ("none", "mean", "mean_variance"):
        net = normaliser(cmvn=cmvn)
        plain, _ = net(mel, net.start(1))
        off[cmvn] = (tilted_features(net, mel) - plain)[0, 500:].abs().mean() / plain.std()
    assert off["none"] > 0.5
    assert off["mean"] < 0.1 * off["none"]
    assert off["mean_variance"] < 0.1 * off["none"]


def test_variance_normalisation_approaches_the_training_sets_variance():
    generator = torch.Generator().manual_seed(0)
    net = normaliser(cmvn="mean_variance")
    for spread in (0.8, 2.0):
        noise = torch.randn(1, 3000, MELS, generator=generator)
        features, _ = net(torch.exp(spread * noise) * 3.0, net.start(1))
        assert abs(float(features[:, 1000:].std()) - 1.0) < 0.05, spread
    flat, _ = net(torch.exp(0.01 * noise), net.start(1))
    assert float(flat[:, 1000:].std()) < 0.04  # 0.01 / 0.4, and fluctuations of the mean


def test_statistics_agree_with_a_reference_recursion():
    net = normaliser(cmvn="mean_variance")
    mel = energies(1, 4.0)
    x, weights, _ = net.level_features(mel, net.start(1)[:2])
    mean, variance, age = torch.zeros(MELS), torch.ones(MELS), 0.0
    expected = []
    for block, weight in zip(x[0], weights[0].tolist(), strict=True):
        age += weight
        mean = mean + weight / min(age + 7.5, 75.0) * (block.mean(dim=0) - mean)
        square = (block - mean).square().mean(dim=0)
        variance = variance + weight / min(age + 25.0, 75.0) * (square - variance)
        expected.append((block - mean) / variance.sqrt().clamp(min=0.4))
    features, _ = net(mel, net.start(1))
    torch.testing.assert_close(features[0], torch.cat(expected), rtol=1e-4, atol=1e-4)


def test_pauses_do_not_change_the_statistics():
    """An hour of silence, digital or faint, does not change the statistics of the speaker."""
    net = normaliser(cmvn="mean_variance")
    _, state = net(energies(1, 6.0), net.start(1))
    generator = torch.Generator().manual_seed(1)
    faint = 1e-6 * torch.rand(1, 360_000, MELS, generator=generator)
    for silence in (torch.zeros(1, 360_000, MELS), faint):
        features, after = net(silence, state)
        for one, other in zip(after[2:], state[2:], strict=True):
            assert torch.equal(one, other)
        assert float(features.max()) < 0.0
    pause = energies(1, 6.0)
    pause[:, 300:] *= 1e-4
    _, output = net(pause, net.start(1))
    _, before = net(pause[:, :300], net.start(1))
    assert (output[2] - before[2]).abs().max() < 0.15  # the mean would fall by 5


def test_each_option_changes_features():
    mel = energies(1, 3.0) * 0.01
    base = normaliser(cmvn="mean_variance")
    features, _ = base(mel, base.start(1))
    changes = {
        "follow": False,
        "attack_s": 1.0,
        "decay_s": 0.5,
        "start_s": 2.0,
        "prior_db": 0.0,
        "lowest_db": 15.0,
        "floor_db": -20.0,
        "cmvn": "mean",
        "cmvn_window_s": 0.5,
        "cmvn_mean_prior_s": 3.0,
        "cmvn_variance_prior_s": 0.1,
        "cmvn_min_std": 5.0,
        "cmvn_gate_db": 1.0,
        "cmvn_ramp_db": 40.0,
    }
    assert set(changes) == set(LevelConfig.__struct_fields__)
    for name, value in changes.items():
        net = normaliser(**{"cmvn": "mean_variance", name: value})
        other, _ = net(mel, net.start(1))
        assert (other - features).abs().max() > 0.01, name
