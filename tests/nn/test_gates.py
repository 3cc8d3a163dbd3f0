from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from asr_gru.nn.gates import gru_step, lstm_step, rnn_step

FRAMES, BATCH, INPUTS, WIDTH = 11, 3, 5, 7


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
def test_steps_equal_torch(kind: type[nn.RNNBase]):
    torch.manual_seed(3)
    layer = kind(INPUTS, WIDTH)  # type: ignore[call-arg, arg-type]
    x = torch.randn(FRAMES, BATCH, INPUTS)
    hidden, cell = torch.randn(BATCH, WIDTH), torch.randn(BATCH, WIDTH)
    with torch.no_grad():
        start = (hidden[None], cell[None]) if kind is nn.LSTM else hidden[None]
        expected, last = layer(x, start)
        from_input = F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
        weight, bias = layer.weight_hh_l0, layer.bias_hh_l0
        rows = []
        for now in from_input:
            if kind is nn.GRU:
                hidden = gru_step(now, hidden, weight, bias)
            elif kind is nn.LSTM:
                hidden, cell = lstm_step(now, hidden, cell, weight, bias)
            else:
                hidden = rnn_step(now, hidden, weight, bias)
            rows.append(hidden)
    torch.testing.assert_close(torch.stack(rows), expected, rtol=1e-5, atol=1e-6)
    if kind is nn.LSTM:
        torch.testing.assert_close(cell, last[1][0], rtol=1e-5, atol=1e-6)
