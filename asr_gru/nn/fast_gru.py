"""A GRU layer for training on CPUs, several times as fast as ``nn.GRU``.

Products are taken in float32, or in bfloat16 where the CPU has units for it, with recurrent
weights laid out once per call; states, gates and their derivatives are float32, and the gradients
of the weights are one product at the end. The loops over time are compiled where there is a C++
compiler (``nn/gru_loops.py``), or run in Python (``nn/python_loops.py``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asr_gru.nn import python_loops
from asr_gru.nn.gru_loops import compiled_loops

__all__ = ["bf16_available", "fast_gru"]


def bf16_available() -> bool:
    """Return whether packed bfloat16 products are available (oneDNN and AVX-512)."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    supported = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return supported and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w_in: Tensor,
        w_h: Tensor,
        b_in: Tensor,
        b_h: Tensor,
        start: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        T, B, _ = x.shape
        H = w_h.shape[1]
        bias = b_in.clone()
        bias[: 2 * H] += b_h[: 2 * H]
        bias_new = b_h[2 * H :]
        x_low = x.reshape(T * B, -1).to(dtype)
        w_in_low = w_in.to(dtype)
        from_input = torch.addmm(bias.to(dtype), x_low, w_in_low.t()).view(T, B, 3 * H)
        hidden = x.new_empty(T + 1, B, H)
        hidden[0] = start
        hidden_low = hidden if dtype == x.dtype else x.new_empty(T + 1, B, H, dtype=dtype)
        hidden_low[0] = start
        gates = x.new_empty(T, B, 3 * H)  # reset, update, new
        recurrent_new = x.new_empty(T, B, H)
        _loops().forward(
            from_input,
            _lay_out(w_h.to(dtype), B),
            bias_new,
            hidden,
            hidden_low,
            gates,
            recurrent_new,
        )
        ctx.save_for_backward(x_low, w_in_low, w_h, hidden, hidden_low, gates, recurrent_new)
        return hidden[1:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x_low, w_in_low, w_h, hidden, hidden_low, gates, recurrent_new = ctx.saved_tensors
        T, B, H = recurrent_new.shape
        dtype = x_low.dtype
        grad = grads[0].contiguous()
        d_gates = gates.new_empty(T, B, 3 * H, dtype=dtype)
        d_new = gates.new_empty(T, B, H, dtype=dtype)
        d_bias, d_bias_new = gates.new_zeros(3 * H), gates.new_zeros(H)
        d_hidden = grad[T - 1].clone()
        _loops().backward(
            grad,
            _lay_out(w_h.t().to(dtype), B),
            hidden,
            gates,
            recurrent_new,
            d_gates,
            d_new,
            d_bias,
            d_bias_new,
            d_hidden,
        )
        flat = d_gates.view(T * B, 3 * H)
        grad_w_h = torch.mm(flat.t(), hidden_low[:T].reshape(T * B, H)).float()
        d_gates[..., 2 * H :] = d_new
        grad_w_in = torch.mm(flat.t(), x_low).float()
        grad_x = torch.mm(flat, w_in_low).float().view(T, B, -1)
        grad_b_in = torch.cat([d_bias[: 2 * H], d_bias_new])
        return grad_x, grad_w_in, grad_w_h, grad_b_in, d_bias, d_hidden, None


def _loops() -> Any:
    """Return what has ``forward`` and ``backward``: compiled, or in Python."""
    return compiled_loops() or python_loops


def _lay_out(weight: Tensor, batch: int) -> Tensor:
    """Return ``weight (outputs, inputs)`` as the loops' products want it, for ``batch`` rows."""
    if weight.dtype == torch.bfloat16:
        packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), batch)
        return packed
    return weight.t().contiguous()


def fast_gru(
    x: Tensor,
    w_in: Tensor,
    w_h: Tensor,
    b_in: Tensor,
    b_h: Tensor,
    start: Tensor,
    dtype: torch.dtype,
) -> Tensor:
    """Run a GRU over ``x (frames, batch, inputs)`` from ``start (batch, width)``.

    Weights are laid out as in ``nn.GRU``; ``dtype`` is the type of the products, float32 or
    bfloat16.

    Returns:
        ``(frames, batch, width)`` in float32; the last frame is the final state.
    """
    function: Any = _Function  # whose apply() has a type in some versions of torch only
    with torch.autocast(x.device.type, enabled=False):  # the loops know the types of their tensors
        y: Tensor = function.apply(x.float(), w_in, w_h, b_in, b_h, start.float(), dtype)
    return y
