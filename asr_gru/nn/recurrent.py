"""A recurrent layer of GRU, LSTM or plain RNN cells."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from asr_gru.nn.fast_gru import fast_gru

__all__ = ["RecurrentLayer", "State", "reverse_padded"]

State = tuple[Tensor, ...]
Cell = Literal["gru", "lstm", "rnn"]
CLASSES: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
GATES = {"gru": 3, "lstm": 4, "rnn": 1}


class RecurrentLayer(nn.Module):
    """A layer of GRU, LSTM or plain recurrent cells over time-major input."""

    def __init__(self, cell: Cell, width: int, kernel_dtype: torch.dtype | None = None) -> None:
        """Build a layer of ``width`` units.

        Args:
            cell: the kind of cell.
            width: number of units, and of inputs per frame.
            kernel_dtype: on a CPU, train a GRU with ``nn/fast_gru.py`` and products of this type;
                None uses torch's layer. Parameters and inference are the same.
        """
        super().__init__()
        self.cell = cell
        self.width = width
        self.kernel_dtype = kernel_dtype
        self.rnn: Any = CLASSES[cell](width, width)
        self.init_orthogonal()

    def init_orthogonal(self) -> None:
        """Orthogonal recurrent weights per gate (Saxe et al. 2014); LSTM forget bias 1."""
        for gate in self.rnn.weight_hh_l0.data.chunk(GATES[self.cell]):
            nn.init.orthogonal_(gate)
        for gate in self.rnn.weight_ih_l0.data.chunk(GATES[self.cell]):
            nn.init.xavier_uniform_(gate)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        if self.cell == "lstm":
            self.rnn.bias_ih_l0.data[self.width : 2 * self.width] = 1.0

    def init_uniform(self) -> None:
        """All weights and biases uniform in ``1 / sqrt(width)``, torch's default."""
        self.rnn.reset_parameters()

    @torch.no_grad()
    def zero_output(self) -> None:
        """Zero the candidate weights: the output is 0 for any input, and the layer can learn."""
        rnn, width = self.rnn, self.width
        first = 2 * width if GATES[self.cell] > 1 else 0  # the candidate of GRU and LSTM
        for parameter in (rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0):
            parameter[first : first + width] = 0.0

    def start(self, batch: int) -> State:
        """Return zeros, each ``(batch, width)``."""
        like: Tensor = self.rnn.weight_hh_l0
        return tuple(
            like.new_zeros(batch, self.width) for _ in range(2 if self.cell == "lstm" else 1)
        )

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the layer over ``x (frames, batch, width)``; return outputs and the next state."""
        if self._uses_kernel(x):
            rnn, dtype = self.rnn, self.kernel_dtype
            assert dtype is not None
            y = fast_gru(
                x,
                rnn.weight_ih_l0,
                rnn.weight_hh_l0,
                rnn.bias_ih_l0,
                rnn.bias_hh_l0,
                state[0],
                dtype,
            )
            return y, (y[-1],)
        if self.cell == "lstm":
            y, (hidden, cell) = self.rnn(
                x, (state[0][None].contiguous(), state[1][None].contiguous())
            )
            return y, (hidden[0], cell[0])
        y, hidden = self.rnn(x, state[0][None].contiguous())
        return y, (hidden[0],)

    def _uses_kernel(self, x: Tensor) -> bool:
        if self.kernel_dtype is None or x.is_cuda:
            return False
        return self.training and torch.is_grad_enabled()


def reverse_padded(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each column of ``x (frames, batch, width)`` within its own length."""
    frames = torch.arange(x.shape[0], device=x.device)[:, None]
    source = lengths[None, :] - 1 - frames
    source = torch.where(source >= 0, source, frames)
    return torch.gather(x, 0, source[:, :, None].expand_as(x))
