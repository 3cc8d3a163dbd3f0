"""The acoustic network: samples to log-probabilities, with explicit state."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from asr_gru.model.net_config import NetConfig
from asr_gru.nn.encoder import Encoder
from asr_gru.nn.frontend import Frontend
from asr_gru.nn.level import LevelNormaliser
from asr_gru.nn.recurrent import State

__all__ = ["AcousticNet", "NetBuilder", "pad_to_frames"]


class AcousticNet(nn.Module):
    """Frontend, level normaliser and encoder.

    The state of a stream is a tuple of arrays with the batch on axis 0: those of the frontend, the
    normaliser and the encoder. All are zero before the first sample.
    """

    def __init__(
        self, config: NetConfig, vocab_size: int, kernel_dtype: torch.dtype | None = None
    ) -> None:
        """Build a network; ``kernel_dtype`` as for ``Encoder``."""
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        frontend, encoder = config.frontend, config.encoder
        self.frontend = Frontend(frontend)
        block_s = encoder.subsampling * frontend.hop / frontend.sample_rate
        self.level = LevelNormaliser(config.level, frontend.mels, encoder.subsampling, block_s)
        self.encoder = Encoder(encoder, frontend.mels, vocab_size, kernel_dtype)

    def start(self, batch: int = 1) -> State:
        """Return the initial state of ``batch`` streams."""
        return (self.frontend.start(batch), *self.level.start(batch), *self.encoder.start(batch))

    def features(self, samples: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Compute normalised log-mel features.

        Args:
            samples: ``(batch, n)``, n a multiple of ``config.frame_samples``.
            state: a state of the network; the arrays of the encoder are ignored.

        Returns:
            features ``(batch, n / hop, mels)``, and the next ``feature_states`` arrays of state.
        """
        state = self.start(samples.shape[0]) if state is None else state
        mel, tail = self.frontend(samples, state[0])
        features, following = self.level(mel, state[1 : self.feature_states])
        return features, (tail, *following)

    @property
    def feature_states(self) -> int:
        """Number of state arrays that precede those of the encoder."""
        return 3 if self.config.level.cmvn == "none" else 6

    def forward(
        self, samples: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Compute log-probabilities of ``samples (batch, n)``.

        Args:
            samples: n is a multiple of ``config.frame_samples``.
            state: state from ``start`` or the previous call; None is the initial state.
            lengths: valid output frames of each row, for bidirectional models on padded batches.

        Returns:
            log-probabilities ``(batch, n / frame_samples, vocab_size)`` and the next state.
        """
        state = self.start(samples.shape[0]) if state is None else state
        features, carried = self.features(samples, state)
        log_probs, encoded = self.encoder(features, state[self.feature_states :], lengths)
        return log_probs, carried + encoded


NetBuilder = Callable[[NetConfig, int, torch.dtype | None], AcousticNet]
"""Builds a network from its configuration, ``vocab_size`` and ``kernel_dtype``."""


def pad_to_frames(samples: Tensor, config: NetConfig) -> Tensor:
    """Pad with zeros to a whole frame and by the delay, as at the end of a stream."""
    frame = config.frame_samples
    missing = -samples.shape[-1] % frame + config.encoder.delay * frame
    return torch.nn.functional.pad(samples, (0, missing))
