from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.errors import ConfigError
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig
from asr_gru.nn.net import AcousticNet, pad_to_frames

SMALL = EncoderConfig(layers=1, width=12, lookahead=1)


CONV = NetConfig(
    frontend=FrontendConfig(remove_dc_offset=True),
    level=LevelConfig(cmvn="mean_variance"),
    encoder=EncoderConfig(layers=1, width=12, lookahead=1, subsampler="conv"),
)


@pytest.mark.parametrize("config", [NetConfig(encoder=SMALL), CONV], ids=["linear", "conv"])
@settings(max_examples=10, deadline=None)
@given(cuts=st.sets(st.integers(1, 24)))
def test_chunking_samples_does_not_change_outputs(config, cuts):
    """The torch network, before export."""
    torch.manual_seed(0)
    net = AcousticNet(config, 5).eval()
    samples = 0.1 * torch.randn(2, 25 * 640, generator=torch.Generator().manual_seed(1))
    bounds = [0, *sorted(cuts), 25]
    with torch.no_grad():
        whole, _ = net(samples)
        state, rows = net.start(2), []
        for a, b in itertools.pairwise(bounds):
            y, state = net(samples[:, a * 640 : b * 640], state)
            rows.append(y)
    assert whole.shape == (2, 25, 5)
    torch.testing.assert_close(torch.cat(rows, dim=1), whole, rtol=1e-4, atol=1e-4)


def test_states_are_batch_first_and_start_at_zero():
    chunked = EncoderConfig(layers=2, width=8, direction="chunked", cell="lstm")
    for config in (NetConfig(encoder=SMALL), NetConfig(encoder=chunked), CONV):
        state = AcousticNet(config, 5).start(3)
        assert all(array.shape[0] == 3 and not array.any() for array in state)


def test_padding_completes_a_stream():
    config = NetConfig(encoder=SMALL)
    assert pad_to_frames(torch.ones(1, 1), config).shape == (1, 640 * 2)
    assert pad_to_frames(torch.ones(1, 640), config).shape == (1, 640 * 2)
    assert pad_to_frames(torch.ones(1, 641), config).shape == (1, 640 * 3)
    assert pad_to_frames(torch.ones(1, 0), config).shape == (1, 640)


def test_invalid_configurations_are_refused():
    with pytest.raises(ConfigError, match="hop_ms"):
        FrontendConfig(hop_ms=30.0)
    with pytest.raises(ConfigError, match="high_hz"):
        FrontendConfig(sample_rate=8_000, fft_size=256)
    with pytest.raises(ConfigError, match="lookahead"):
        EncoderConfig(direction="bi", lookahead=2)
    with pytest.raises(ConfigError, match="right_frames"):
        EncoderConfig(direction="chunked", chunk_frames=4, right_frames=5)


def quiet_talk(seconds: float) -> torch.Tensor:
    """Return noise in syllables, 40 dB below full scale."""
    generator = torch.Generator().manual_seed(2)
    time = torch.arange(int(seconds * 16_000)) / 16_000
    loud = torch.sin(2 * torch.pi * 2.5 * time).clamp(min=0.01)
    return (0.01 * loud * torch.randn(len(time), generator=generator))[None]


@pytest.mark.parametrize("cmvn", ["none", "mean_variance"])
def test_a_huge_sample_affects_outputs_no_longer_than_a_loud_noise(cmvn):
    net = AcousticNet(NetConfig(level=LevelConfig(cmvn=cmvn)), 5).eval()
    samples = quiet_talk(8.0)
    struck = samples.clone()
    struck[0, 32_000] = 1e18
    with torch.no_grad():
        clean, hit = net.features(samples)[0], net.features(struck)[0]
    assert torch.isfinite(hit).all()
    off = (hit - clean).abs().mean(dim=2)[0]
    assert float(off[300:].mean()) < 0.3 * float(clean.std())  # from a second after it
    assert float(off[700:].mean()) < 0.1 * float(clean.std())


def test_a_dc_offset_of_a_tenth_of_full_scale_does_not_matter():
    samples = quiet_talk(4.0)
    off = {}
    for remove in (False, True):
        frontend = FrontendConfig(remove_dc_offset=remove)
        net = AcousticNet(NetConfig(frontend=frontend, level=CONV.level), 5).eval()
        with torch.no_grad():
            clean, offset = net.features(samples)[0], net.features(samples + 0.1)[0]
        off[remove] = float((offset - clean)[:, 200:].abs().mean() / clean.std())
    assert off[True] < 0.1
    assert off[False] > 0.2
