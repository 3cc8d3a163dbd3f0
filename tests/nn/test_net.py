from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.errors import ConfigError
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, NetConfig
from asr_gru.nn.net import AcousticNet, pad_to_frames

SMALL = EncoderConfig(layers=1, width=12, lookahead=1)


@settings(max_examples=10, deadline=None)
@given(cuts=st.sets(st.integers(1, 24)))
def test_cuts_do_not_matter_from_samples_on(cuts):
    """Promise 2, in torch."""
    torch.manual_seed(0)
    net = AcousticNet(NetConfig(encoder=SMALL), 5).eval()
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


def test_state_has_the_batch_in_front_and_starts_at_zero():
    for encoder in (SMALL, EncoderConfig(layers=2, width=8, direction="chunked", cell="lstm")):
        state = AcousticNet(NetConfig(encoder=encoder), 5).start(3)
        assert all(array.shape[0] == 3 and not array.any() for array in state)


def test_padding_ends_a_stream():
    config = NetConfig(encoder=SMALL)
    assert pad_to_frames(torch.ones(1, 1), config).shape == (1, 640 * 2)
    assert pad_to_frames(torch.ones(1, 640), config).shape == (1, 640 * 2)
    assert pad_to_frames(torch.ones(1, 641), config).shape == (1, 640 * 3)
    assert pad_to_frames(torch.ones(1, 0), config).shape == (1, 640)


def test_impossible_configurations_are_refused():
    with pytest.raises(ConfigError, match="hop_ms"):
        FrontendConfig(hop_ms=30.0)
    with pytest.raises(ConfigError, match="high_hz"):
        FrontendConfig(sample_rate=8_000, fft_size=256)
    with pytest.raises(ConfigError, match="lookahead"):
        EncoderConfig(direction="bi", lookahead=2)
    with pytest.raises(ConfigError, match="right_frames"):
        EncoderConfig(direction="chunked", chunk_frames=4, right_frames=5)
