"""The encoder: subsampling, recurrent layers, look-ahead and CTC head."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr_gru.model.net_config import EncoderConfig
from asr_gru.nn.recurrent import RecurrentLayer, State, reverse_padded
from asr_gru.nn.subsampling import ConvSubsampler

__all__ = ["Encoder", "EncoderOutput"]


class EncoderOutput(NamedTuple):
    """Output of ``Encoder.encode``.

    Attributes:
        log_probs: ``(batch, frames, vocab_size)``.
        state: state for the next call.
        hidden: normalised input of the tapped layer, ``(batch, frames, width)``, or None.
    """

    log_probs: Tensor
    state: State
    hidden: Tensor | None


class Encoder(nn.Module):
    """A stack of pre-norm residual recurrent layers.

    The linear subsampler is a causal convolution of kernel ``2 f`` and stride ``f`` over mel
    frames, computed as a linear layer over the previous and the current block of ``f`` frames. The
    convolutional subsampler puts ``nn/subsampling.py`` before its linear layer.
    """

    def __init__(
        self,
        config: EncoderConfig,
        mels: int,
        vocab_size: int,
        kernel_dtype: torch.dtype | None = None,
    ) -> None:
        """Build an encoder.

        Args:
            config: configuration of the layers.
            mels: features per frame.
            vocab_size: outputs per frame.
            kernel_dtype: see ``RecurrentLayer``; with bfloat16, the linear layers are computed in
                bfloat16 as well when training on a CPU.
        """
        super().__init__()
        self.config = config
        self.mels = mels
        self.kernel_dtype = kernel_dtype
        width = config.width
        self.history: int = config.subsampling
        inputs = 2 * config.subsampling * mels
        if config.subsampler == "conv":
            self.conv = ConvSubsampler(config.subsampling, mels, config.conv_channels)
            self.history, inputs = self.conv.history, self.conv.outputs
        self.subsample = nn.Linear(inputs, width)
        self.subsample_norm = nn.LayerNorm(width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(config.layers))
        self.forwards = nn.ModuleList(
            RecurrentLayer(config.cell, width, kernel_dtype) for _ in range(config.layers)
        )
        self.backwards = nn.ModuleList(
            RecurrentLayer(config.cell, width, kernel_dtype)
            for _ in range(0 if config.direction == "uni" else config.layers)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(width)
        if config.lookahead:
            self.lookahead = nn.Parameter(torch.zeros(config.lookahead + 1, width))
            self.lookahead.data[0] = 1.0  # initially a plain delay by the whole look-ahead
        self.head = nn.Linear(width, vocab_size)

    def start(self, batch: int) -> State:
        """Return the initial state: arrays with the batch on axis 0.

        In order: the feature frames that the subsampler buffers, the states of the layers, and, if
        any, the rows that the look-ahead convolution or the next chunk buffers.
        """
        config, like = self.config, self.head.weight
        state: list[Tensor] = [like.new_zeros(batch, self.history, self.mels)]
        for layer in self.forwards:
            state.extend(layer.start(batch))  # type: ignore[operator]
        if config.delay:
            state.append(like.new_zeros(batch, config.delay, config.width))
        return tuple(state)

    def forward(
        self, features: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Encode ``features (batch, frames, mels)``, frames a multiple of the subsampling factor.

        Args:
            features: normalised log-mel features.
            state: state from ``start`` or the previous call.
            lengths: valid output frames of each row, for bidirectional models on padded batches.

        Returns:
            log-probabilities ``(batch, frames / subsampling, vocab_size)`` and the next state.
            Row ``t`` belongs to frame ``t - config.delay``.
        """
        log_probs, state, _ = self.encode(features, state, lengths)
        return log_probs, state

    def encode(
        self,
        features: Tensor,
        state: State,
        lengths: Tensor | None = None,
        tap: int | None = None,
    ) -> EncoderOutput:
        """Like ``forward``, and return the input of layer ``tap`` as well.

        Args:
            features: as for ``forward``.
            state: as for ``forward``.
            lengths: as for ``forward``.
            tap: layer index from 0; the number of layers stands for the output of the last one.
        """
        config = self.config
        x, carried = self._subsample(features, state[0])
        taps: list[Tensor] = []
        if config.direction == "chunked":
            x, rest = self._chunks(x, state[1:])
        else:
            x, rest = self._layers(x, state[1:], lengths, keep=x.shape[0], taps=taps)
        x = self.norm(x)
        taps.append(x)
        if config.lookahead:
            x, rows = self._look_ahead(x, state[-1])
            rest = (*rest, rows)
        log_probs = F.log_softmax(self._linear(self.head, x), dim=-1)
        hidden = None if tap is None else taps[tap].transpose(0, 1)
        return EncoderOutput(log_probs.transpose(0, 1), (carried, *rest), hidden)

    def _subsample(self, features: Tensor, buffered: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(frames, batch, width)`` and the feature frames to buffer."""
        factor, (batch, frames, _) = self.config.subsampling, features.shape
        padded = torch.cat([buffered, features], dim=1)
        if self.config.subsampler == "conv":
            with self._low_precision(features):
                x = self.conv(padded)
        else:
            blocks = padded.reshape(batch, frames // factor + 1, factor * self.mels)
            x = torch.cat([blocks[:, :-1], blocks[:, 1:]], dim=2)
        x = self._linear(self.subsample, x.transpose(0, 1))
        return F.relu(self.subsample_norm(x)), padded[:, padded.shape[1] - self.history :]

    def _low_precision(self, x: Tensor) -> torch.autocast:
        """Return an autocast context to bfloat16, enabled with ``kernel_dtype`` in CPU training."""
        low = self.kernel_dtype == torch.bfloat16 and self.training and not x.is_cuda
        return torch.autocast("cpu", torch.bfloat16, enabled=low)

    def _linear(self, layer: nn.Linear, x: Tensor) -> Tensor:
        with self._low_precision(x):
            y: Tensor = layer(x)
        return y.float()

    def _layers(
        self,
        x: Tensor,
        state: State,
        lengths: Tensor | None,
        keep: int,
        taps: list[Tensor] | None = None,
    ) -> tuple[Tensor, State]:
        """Run all layers over ``x``; return the states after ``keep`` frames.

        ``taps`` receives the normalised input of each layer.
        """
        carried: list[Tensor] = []
        per_layer = 2 if self.config.cell == "lstm" else 1
        for index, layer in enumerate(self.forwards):
            normed = self.norms[index](x)
            if taps is not None:
                taps.append(normed)
            y, after = layer(normed[:keep], state[index * per_layer : (index + 1) * per_layer])
            carried.extend(after)
            if keep < x.shape[0]:
                y = torch.cat([y, layer(normed[keep:], after)[0]])
            if len(self.backwards):
                y = y + self._backward(index, normed, lengths)
            x = x + self.dropout(y)
        return x, tuple(carried)

    def _backward(self, index: int, x: Tensor, lengths: Tensor | None) -> Tensor:
        layer = self.backwards[index]
        if lengths is None:
            return torch.flip(layer(torch.flip(x, [0]), layer.start(x.shape[1]))[0], [0])  # type: ignore[operator]
        y, _ = layer(reverse_padded(x, lengths), layer.start(x.shape[1]))  # type: ignore[operator]
        return reverse_padded(y, lengths)

    def _chunks(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Latency-controlled layers (Zhang et al. 2016): each chunk with its right context.

        A window consists of the ``right_frames`` buffered rows and ``chunk_frames`` new ones. Its
        first ``chunk_frames`` rows are final; the rest is buffered for the next window.
        """
        chunk = self.config.chunk_frames
        if x.shape[0] % chunk:
            missing = chunk - x.shape[0] % chunk
            padded, rest = self._chunks(F.pad(x, (0, 0, 0, 0, 0, missing)), state)
            return padded[: x.shape[0]], rest
        layers, buffered = state[:-1], state[-1].transpose(0, 1)
        outputs = []
        for new in torch.split(x, chunk):
            window = torch.cat([buffered, new])
            y, layers = self._layers(window, layers, None, keep=chunk)
            outputs.append(y[:chunk])
            buffered = window[chunk:]
        return torch.cat(outputs), (*layers, buffered.transpose(0, 1))

    def _look_ahead(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Row convolution (Amodei et al. 2016): one weight per unit and future frame."""
        ahead = self.config.lookahead
        x = torch.cat([rows.transpose(0, 1), x])
        frames = x.shape[0] - ahead
        y = torch.stack([x[k : k + frames] * self.lookahead[k] for k in range(ahead + 1)]).sum(0)
        return y, x[frames:].transpose(0, 1)
