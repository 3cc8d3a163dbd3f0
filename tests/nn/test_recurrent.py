from __future__ import annotations

import pytest
import torch

from asr_gru.nn.fast_gru import bf16_available
from asr_gru.nn.recurrent import GATES, RecurrentLayer, reverse_padded

CELLS = ["gru", "lstm", "rnn"]


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_matrices_are_initialised_orthogonal(cell):
    layer = RecurrentLayer(cell, 24)
    gates = layer.rnn.weight_hh_l0.detach().chunk(GATES[cell])
    assert len(gates) == GATES[cell]
    for gate in gates:
        torch.testing.assert_close(gate @ gate.T, torch.eye(24), rtol=0, atol=1e-5)


def test_the_forget_bias_of_the_lstm_is_initialised_to_1():
    layer = RecurrentLayer("lstm", 8)
    assert layer.rnn.bias_ih_l0[8:16].eq(1.0).all()
    assert layer.rnn.bias_ih_l0[:8].eq(0.0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_uniform_initialisation_is_bounded_by_the_width(cell):
    layer = RecurrentLayer(cell, 25)
    layer.init_uniform()
    for parameter in layer.parameters():
        assert 0.15 < parameter.abs().max() <= 0.2


@pytest.mark.parametrize("cell", CELLS)
def test_chunking_does_not_change_outputs(cell):
    torch.manual_seed(0)
    layer = RecurrentLayer(cell, 12)
    x = torch.randn(20, 3, 12)
    with torch.no_grad():
        whole, end = layer(x, layer.start(3))
        state, parts = layer.start(3), []
        for part in torch.split(x, [1, 6, 13]):
            y, state = layer(part, state)
            parts.append(y)
    assert len(state) == (2 if cell == "lstm" else 1)
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(state, end, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not bf16_available(), reason="a processor without bfloat16")
def test_the_kernel_is_used_only_in_training():
    torch.manual_seed(0)
    layer = RecurrentLayer("gru", 32)
    x = torch.randn(9, 2, 32)
    plain = layer(x, layer.start(2))[0]
    fast = RecurrentLayer("gru", 32, torch.bfloat16)
    fast.load_state_dict(layer.state_dict())
    layer = fast
    trained, state = layer(x, layer.start(2))
    assert not torch.equal(trained, plain)
    torch.testing.assert_close(trained, plain, rtol=0, atol=0.03)
    assert torch.equal(state[0], trained[-1])
    assert torch.equal(layer.eval()(x, layer.start(2))[0], plain)
    with torch.no_grad():
        assert torch.equal(layer.train()(x, layer.start(2))[0], plain)


def test_reverse_padded_reverses_each_sequence_within_its_length():
    x = torch.arange(1.0, 6.0)[:, None, None].repeat(1, 3, 2)
    lengths = torch.tensor([5, 3, 1])
    turned = reverse_padded(x, lengths)
    assert turned[:, 0, 0].tolist() == [5, 4, 3, 2, 1]
    assert turned[:3, 1, 0].tolist() == [3, 2, 1]
    assert turned[0, 2, 1] == 1
    assert torch.equal(reverse_padded(turned, lengths), x)
