"""Self-attention on top of the recurrent layers, for whole recordings.

This network is compared, not exported: a stream would have to buffer the rows that it attends to.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr_gru.errors import ConfigError
from asr_gru.model.net_config import EncoderConfig, NetConfig
from asr_gru.nn.encoder import Encoder
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.recurrent import State

__all__ = ["AttentionEncoder", "AttentionNet", "CausalAttention"]

HEADS = 4
PAST_FRAMES = 100
"""Frames that a frame attends to, itself included."""


class CausalAttention(nn.Module):
    """A pre-norm residual layer of self-attention (Vaswani et al. 2017) over past frames.

    It has no encoding of positions: recurrent layers below it know the order of their input.

    Args:
        width: size of inputs and outputs, a multiple of ``heads``.
        heads: attention heads.
        past: frames that a frame attends to, itself included.

    Raises:
        ConfigError: the width is not a multiple of the number of heads.
    """

    def __init__(self, width: int, heads: int = HEADS, past: int = PAST_FRAMES) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"encoder.width = {width} is not a multiple of {heads} heads")
        self.heads, self.past = heads, past
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (frames, batch, width)`` to the same shape."""
        frames, batch, width = x.shape
        parts = self.project(self.norm(x)).view(frames, batch, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 1, 3, 0, 4)  # each (batch, heads, frames, width)
        distance = torch.arange(frames, device=x.device)
        distance = distance[:, None] - distance[None, :]
        visible = (distance >= 0) & (distance < self.past)
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
        return x + self.output(y.permute(2, 0, 1, 3).reshape(frames, batch, width))


class AttentionEncoder(Encoder):
    """An encoder with self-attention between the recurrent layers and the look-ahead."""

    def __init__(
        self,
        config: EncoderConfig,
        mels: int,
        vocab_size: int,
        kernel_dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(config, mels, vocab_size, kernel_dtype)
        self.attention = CausalAttention(config.width)

    def _layers(
        self,
        x: Tensor,
        state: State,
        lengths: Tensor | None,
        keep: int,
        taps: list[Tensor] | None = None,
    ) -> tuple[Tensor, State]:
        x, carried = super()._layers(x, state, lengths, keep, taps)
        return self.attention(x), carried


class AttentionNet(AcousticNet):
    """An acoustic network with an ``AttentionEncoder``."""

    def __init__(
        self, config: NetConfig, vocab_size: int, kernel_dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(config, vocab_size, kernel_dtype)
        self.encoder = AttentionEncoder(
            config.encoder, config.frontend.mels, vocab_size, kernel_dtype
        )
