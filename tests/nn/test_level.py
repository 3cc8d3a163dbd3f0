from __future__ import annotations

import torch
from torch import Tensor

from asr_gru.model.net_config import LevelConfig
from asr_gru.nn.level import LevelNormaliser

BLOCK, BLOCK_S, MELS = 4, 0.04, 80


def normaliser(**changes: object) -> LevelNormaliser:
    return LevelNormaliser(LevelConfig(**changes), MELS, BLOCK, BLOCK_S)  # type: ignore[arg-type]


def energies(rows: int, seconds: float, seed: int = 0) -> Tensor:
    """Mel energies with syllables of 200 ms, around the prior level of 20 dB."""
    generator = torch.Generator().manual_seed(seed)
    frames = int(seconds * 100)
    noise = torch.rand(rows, frames, MELS, generator=generator) + 0.05
    syllables = 0.02 + torch.sin(torch.arange(frames) / 100 * 2 * torch.pi * 2.5).clamp(min=0.0)
    return noise * syllables[None, :, None] * 3.0


def test_rows_are_independent():
    net = normaliser()
    mel = energies(3, 1.2) * torch.tensor([0.001, 1.0, 50.0])[:, None, None]
    together, (level, age) = net(mel, net.start(3))
    for row in range(3):
        alone, state = net(mel[row : row + 1], net.start(1))
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-6)
        torch.testing.assert_close(state[0][0], level[row])
        torch.testing.assert_close(state[1][0], age[row])


def test_cuts_do_not_matter():
    net = normaliser()
    mel = energies(2, 1.2)
    whole, end = net(mel, net.start(2))
    parts, state = [], net.start(2)
    for part in torch.split(mel, [BLOCK, 5 * BLOCK, 24 * BLOCK], dim=1):
        y, state = net(part, state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, end)


def test_features_stay_flat_under_gain_after_the_first_second():
    net = normaliser()
    mel = energies(1, 6.0)
    reference, _ = net(mel, net.start(1))
    spread = reference.std()
    for gain_db in (-30.0, -15.0, 10.0):
        features, _ = net(mel * 10.0 ** (gain_db / 10.0), net.start(1))
        off = (features - reference).abs()[0]
        assert off[100:].mean() < 0.1 * spread, gain_db
        assert off[300:].mean() < 0.05 * spread, gain_db


def test_a_level_step_inside_is_followed():
    net = normaliser()
    mel = energies(1, 8.0)
    reference, _ = net(mel, net.start(1))
    louder = mel.clone()
    louder[:, 300:] *= 100.0
    features, _ = net(louder, net.start(1))
    assert (features - reference)[:, 400:].abs().mean() < 0.15 * reference.std()


def test_without_following_a_gain_goes_through():
    net = normaliser(follow=False)
    mel = energies(1, 1.0)
    quiet, state = net(mel * 1e-2, net.start(1))
    loud, _ = net(mel, net.start(1))
    assert (loud - quiet).mean() > 1.0
    torch.testing.assert_close(state, net.start(1))


def test_silence_is_finite_and_not_amplified():
    net = normaliser()
    silence, _ = net(torch.zeros(1, 4000, MELS), net.start(1))
    assert torch.isfinite(silence).all()
    faint, _ = net(torch.full((1, 4000, MELS), 1e-9), net.start(1))
    torch.testing.assert_close(faint, silence, rtol=0, atol=0.05)


def test_each_option_changes_features():
    mel = energies(1, 3.0) * 0.01
    base, _ = normaliser()(mel, normaliser().start(1))
    changes = {
        "follow": False,
        "attack_s": 1.0,
        "decay_s": 0.5,
        "start_s": 2.0,
        "prior_db": 0.0,
        "lowest_db": 15.0,
        "floor_db": -20.0,
    }
    assert set(changes) == set(LevelConfig.__struct_fields__)
    for name, value in changes.items():
        net = normaliser(**{name: value})
        other, _ = net(mel, net.start(1))
        assert (other - base).abs().max() > 0.01, name
