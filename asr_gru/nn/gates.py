"""The recurrent cells, one step each, written out for reading.

The products with the input are computed outside (for all frames at once): ``from_input`` is
``W_ih x + b_ih``. Rows are ordered as in ``torch.nn``, and the results are equal to it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["gru_step", "lstm_step", "rnn_step"]


def gru_step(from_input: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One step of a gated recurrent unit (Cho et al. 2014, reset after the product).

    Args:
        from_input: ``(batch, 3 * width)``, for the gates reset, update, new.
        hidden: ``(batch, width)``, the state.
        weight: ``(3 * width, width)``.
        bias: ``(3 * width,)``.

    Returns:
        the next state, ``(batch, width)``.
    """
    input_reset, input_update, input_new = from_input.chunk(3, dim=-1)
    hidden_reset, hidden_update, hidden_new = F.linear(hidden, weight, bias).chunk(3, dim=-1)
    reset = torch.sigmoid(input_reset + hidden_reset)  # how much of the past the proposal sees
    update = torch.sigmoid(input_update + hidden_update)  # how much of the past is kept
    new = torch.tanh(input_new + reset * hidden_new)
    return new + update * (hidden - new)


def lstm_step(
    from_input: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    Shapes as in ``gru_step`` with four gates: input, forget, candidate, output.

    Returns:
        the next hidden and cell states, each ``(batch, width)``.
    """
    gates = from_input + F.linear(hidden, weight, bias)
    admit, keep, candidate, show = gates.chunk(4, dim=-1)
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(admit) * torch.tanh(candidate)
    return torch.sigmoid(show) * torch.tanh(cell), cell


def rnn_step(from_input: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One step of a plain recurrent network (Elman 1990), shapes as above with one gate."""
    return torch.tanh(from_input + F.linear(hidden, weight, bias))
