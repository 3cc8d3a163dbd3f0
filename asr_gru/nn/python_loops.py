"""The loops over time of ``fast_gru`` in Python, for where ``gru_loops.cpp`` cannot be compiled.

Work that does not depend on the frame before is done for ``BLOCK`` frames at a time, which keeps
it in the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["backward", "forward"]

BLOCK = 16


def forward(
    from_input: Tensor,
    weight: Tensor,
    bias_new: Tensor,
    hidden: Tensor,
    hidden_low: Tensor,
    gates: Tensor,
    recurrent_new: Tensor,
) -> None:
    """Fill ``hidden[1:]``, ``hidden_low[1:]``, ``gates`` and ``recurrent_new``.

    Args:
        from_input: ``(frames, batch, 3 * width)``, the input's share of the gates.
        weight: recurrent weights, laid out for products of the type of ``hidden_low``.
        bias_new: ``(width,)``, recurrent bias of the candidate.
        hidden: ``(frames + 1, batch, width)``, states, of which the first is there.
        hidden_low: the same in the type of the products, or the same tensor.
        gates: ``(frames, batch, 3 * width)``: reset, update, candidate.
        recurrent_new: ``(frames, batch, width)``, the state's share of the candidate.
    """
    T, _, H = recurrent_new.shape
    h, h_low, rec = hidden.unbind(0), hidden_low.unbind(0), recurrent_new.unbind(0)
    both = gates[..., : 2 * H].unbind(0)
    reset = gates[..., :H].unbind(0)
    update = gates[..., H : 2 * H].unbind(0)
    new = gates[..., 2 * H :].unbind(0)
    same = hidden_low.dtype == hidden.dtype
    for first in range(0, T, BLOCK):
        last = min(T, first + BLOCK)
        block = from_input[first:last].float()
        in_both, in_new = block[..., : 2 * H].unbind(0), block[..., 2 * H :].unbind(0)
        for t in range(first, last):
            from_hidden = _product(h_low[t], weight)
            torch.add(in_both[t - first], from_hidden[:, : 2 * H], out=both[t]).sigmoid_()
            torch.add(from_hidden[:, 2 * H :], bias_new, out=rec[t])
            torch.addcmul(in_new[t - first], reset[t], rec[t], out=new[t]).tanh_()
            torch.lerp(new[t], h[t], update[t], out=h[t + 1])
            if not same:
                h_low[t + 1].copy_(h[t + 1])


def backward(
    grad: Tensor,
    weight: Tensor,
    hidden: Tensor,
    gates: Tensor,
    recurrent_new: Tensor,
    d_gates: Tensor,
    d_new: Tensor,
    d_bias: Tensor,
    d_bias_new: Tensor,
    d_hidden: Tensor,
) -> None:
    """Fill the derivatives of the gates, and carry ``d_hidden`` to the first state.

    Args:
        grad: ``(frames, batch, width)``, of the loss by each state.
        weight: recurrent weights, transposed and laid out.
        hidden: as ``forward`` left it; so ``gates`` and ``recurrent_new``.
        gates: see ``hidden``.
        recurrent_new: see ``hidden``.
        d_gates: ``(frames, batch, 3 * width)``, by the state's share of the gates.
        d_new: ``(frames, batch, width)``, by the input's share of the candidate.
        d_bias: ``(3 * width,)``, to which the sums of ``d_gates`` are added.
        d_bias_new: ``(width,)``, to which the sum of ``d_new`` is added.
        d_hidden: ``(batch, width)``, by the last state at first.
    """
    T, _, H = recurrent_new.shape
    one = torch.ones((), dtype=gates.dtype)
    for last in range(T, 0, -BLOCK):
        first = max(0, last - BLOCK)
        r = gates[first:last, :, :H]
        z = gates[first:last, :, H : 2 * H]
        n = gates[first:last, :, 2 * H :]
        local = gates.new_empty(last - first, r.shape[1], 4, H)  # d_gates, then d_new
        d_n = torch.addcmul(one, n, n, value=-1).mul_(1 - z)
        local[:, :, 3] = d_n
        torch.mul(d_n, r, out=local[:, :, 2])
        d_r = torch.mul(local[:, :, 2], recurrent_new[first:last])
        torch.mul(d_r, 1 - r, out=local[:, :, 0])
        d_z = torch.addcmul(z, z, z, value=-1)
        torch.mul(hidden[first:last] - n, d_z, out=local[:, :, 1])
        steps, keep = local.unbind(0), z.unbind(0)
        three = local.view(last - first, -1, 4 * H)[..., : 3 * H].unbind(0)
        out = d_gates[first:last].unbind(0)
        for t in range(last - 1, first - 1, -1):
            k = t - first
            steps[k].mul_(d_hidden.unsqueeze(1))
            back = _product(out[k].copy_(three[k]), weight)
            torch.addcmul(back, d_hidden, keep[k], out=d_hidden)
            if t > 0:
                d_hidden.add_(grad[t - 1])
        d_new[first:last] = local[:, :, 3]
        d_bias += local[:, :, :3].sum((0, 1)).view(-1)
        d_bias_new += local[:, :, 3].sum((0, 1))


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply with a weight that ``fast_gru`` laid out; the result is float32."""
    if x.dtype == torch.float32:
        return torch.mm(x, weight)
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    return y.float()
