from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.model.net_config import EncoderConfig
from asr_gru.nn.encoder import Encoder
from asr_gru.nn.fast_gru import bf16_available

MELS, TOKENS = 10, 7


def make(kernel_dtype=None, **changes) -> Encoder:
    torch.manual_seed(0)
    settings_ = {"layers": 2, "width": 16, "subsampling": 2, **changes}
    net = Encoder(EncoderConfig(**settings_), MELS, TOKENS, kernel_dtype).eval()
    if net.config.lookahead:
        torch.nn.init.normal_(net.lookahead)
    return net


def in_chunks(net: Encoder, features, sizes):
    state, rows = net.start(features.shape[0]), []
    for part in torch.split(features, [size * net.config.subsampling for size in sizes], dim=1):
        y, state = net(part, state)
        rows.append(y)
    return torch.cat(rows, dim=1), state


STREAMING = [
    {"cell": "gru"},
    {"cell": "lstm"},
    {"cell": "rnn"},
    {"lookahead": 3},
    {"cell": "lstm", "lookahead": 1},
    {"subsampling": 3},
    {"subsampling": 4},
    {"subsampling": 6},
    {"subsampling": 8},
    *({"subsampler": "conv", "subsampling": factor} for factor in (2, 3, 4, 6, 8)),
]
CHUNKED = [
    {"direction": "chunked", "cell": cell, "chunk_frames": 4, "right_frames": right}
    for cell, right in (("gru", 2), ("lstm", 4), ("rnn", 1))
]


@pytest.mark.parametrize("changes", STREAMING, ids=str)
@settings(max_examples=6, deadline=None)
@given(cuts=st.sets(st.integers(1, 23)))
def test_chunking_does_not_change_outputs(changes, cuts):
    """The torch network, before export."""
    net = make(**changes)
    bounds = [0, *sorted(cuts), 24]
    sizes = [b - a for a, b in itertools.pairwise(bounds)]
    features = torch.randn(2, 24 * net.config.subsampling, MELS, generator=torch.Generator())
    with torch.no_grad():
        whole, end = net(features, net.start(2))
        parts, state = in_chunks(net, features, sizes)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(state, end, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changes", CHUNKED, ids=str)
def test_chunked_models_can_be_split_between_chunks(changes):
    """The torch network, before export."""
    net = make(**changes)
    features = torch.randn(2, 24 * 2, MELS)
    with torch.no_grad():
        whole, end = net(features, net.start(2))
        parts, state = in_chunks(net, features, [4, 8, 12])
        odd, _ = net(features[:, : 22 * 2], net.start(2))
    assert whole.shape == (2, 24, TOKENS)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(state, end, rtol=1e-4, atol=1e-5)
    assert odd.shape == (2, 22, TOKENS)
    torch.testing.assert_close(odd[:, :20], whole[:, :20], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 8])
def test_convolutions_depend_on_every_frame_and_no_later_one(factor):
    """Each output depends on all of its ``factor`` frames and ``history`` earlier ones."""
    net = make(subsampler="conv", subsampling=factor).conv
    assert net.history >= 3
    features = torch.randn(1, net.history + 6 * factor, MELS, requires_grad=True)
    y = net(features)
    assert y.shape == (1, 6, net.outputs)
    y[0, 3].sum().backward()
    seen = features.grad[0].abs().sum(dim=1) > 0
    expected = torch.zeros(len(seen), dtype=torch.bool)
    expected[3 * factor : 4 * factor + net.history] = True
    assert torch.equal(seen, expected)


def test_convolutions_agree_with_torch():
    conv = make(subsampler="conv", subsampling=4).conv
    features = torch.randn(2, conv.history + 16, MELS)
    x = torch.relu(conv.first(features[:, None]))
    x = torch.relu(conv.second(x))
    torch.testing.assert_close(conv(features), x.permute(0, 2, 3, 1).flatten(2))


@pytest.mark.skipif(not bf16_available(), reason="a processor without bfloat16")
def test_bf16_convolutions_have_nearly_the_same_gradients():
    features = torch.randn(2, 32, MELS)
    grads = []
    for dtype in (torch.float32, torch.bfloat16):
        net = make(subsampler="conv", subsampling=4, kernel_dtype=dtype).train()
        net(features, net.start(2))[0][..., 0].sum().backward()
        grads.append(torch.cat([p.grad.flatten() for p in net.conv.parameters()]))
    assert 0 < (grads[1] - grads[0]).norm() < 0.05 * grads[0].norm()


@pytest.mark.parametrize(
    "changes", [{}, {"lookahead": 2}, {"subsampler": "conv"}, *CHUNKED], ids=str
)
def test_rows_depend_on_input_up_to_their_delay(changes):
    net = make(**changes)
    features = torch.randn(1, 24 * 2, MELS)
    changed = features.clone()
    changed[:, 16 * 2 :] += 1.0
    with torch.no_grad():
        a, _ = net(features, net.start(1))
        b, _ = net(changed, net.start(1))
    same = (a == b).all(dim=2)[0]
    assert same[:16].all()  # row t belongs to frame t - delay, and depends on frames up to t
    assert not same[16 + net.config.delay :].any()


def test_a_new_look_ahead_is_a_plain_delay():
    torch.manual_seed(0)
    net = Encoder(EncoderConfig(layers=1, width=8, lookahead=2), MELS, TOKENS).eval()
    torch.manual_seed(0)
    plain = Encoder(EncoderConfig(layers=1, width=8), MELS, TOKENS).eval()
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if k != "lookahead"})
    features = torch.randn(1, 40, MELS)
    with torch.no_grad():
        late, _ = net(features, net.start(1))
        direct, _ = plain(features, plain.start(1))
    torch.testing.assert_close(late[:, 2:], direct[:, :-2])


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_bidirectional_rows_do_not_depend_on_their_padding(cell):
    net = make(direction="bi", cell=cell)
    lengths = [12, 7, 1]
    features = torch.randn(3, 24, MELS)
    with torch.no_grad():
        together, _ = net(features, net.start(3), torch.tensor(lengths))
        for row, length in enumerate(lengths):
            alone, _ = net(features[row : row + 1, : 2 * length], net.start(1))
            torch.testing.assert_close(together[row, :length], alone[0], rtol=1e-4, atol=1e-5)


def test_rows_are_normalised_log_probabilities():
    with torch.no_grad():
        log_probs, _ = make()(torch.randn(2, 12, MELS), make().start(2))
    torch.testing.assert_close(log_probs.exp().sum(dim=2), torch.ones(2, 6))


def test_dropout_applies_only_in_training():
    net = make(dropout=0.5)
    features, start = torch.randn(1, 24, MELS), net.start(1)
    with torch.no_grad():
        assert torch.equal(net(features, start)[0], net(features, start)[0])
        net.train()
        assert not torch.equal(net(features, start)[0], net(features, start)[0])
