"""Configuration of the acoustic network, stored in every checkpoint and model directory."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from asr_gru.errors import ConfigError

__all__ = ["EncoderConfig", "FrontendConfig", "LevelConfig", "NetConfig"]

Positive = Annotated[float, Meta(gt=0)]


class FrontendConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Log-mel frontend: rates in Hz, window and hop in milliseconds.

    Attributes:
        remove_dc_offset: subtract the mean of each window before the transform. Without it, a
            constant offset leaks through the Hann window into the lowest mel bins.
    """

    sample_rate: Annotated[int, Meta(ge=1, le=384_000)] = 16_000
    window_ms: float = 25.0
    hop_ms: float = 10.0
    fft_size: Annotated[int, Meta(ge=1, le=65_536)] = 512
    mels: Annotated[int, Meta(ge=1, le=512)] = 80
    low_hz: float = 20.0
    high_hz: float = 7_600.0
    remove_dc_offset: bool = False

    @property
    def window(self) -> int:
        """Samples per analysis window."""
        return round(self.sample_rate * self.window_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples between two frames."""
        return round(self.sample_rate * self.hop_ms / 1000)

    def __post_init__(self) -> None:
        times = (self.window_ms, self.hop_ms)
        if not all(map(math.isfinite, times)) or not 0 < self.hop <= self.window <= self.fft_size:
            raise ConfigError("frontend: need 0 < hop_ms <= window_ms and a window within fft_size")
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ConfigError("frontend: need 0 <= low_hz < high_hz <= sample_rate / 2")


class LevelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Causal normalisation of level and channel; see ``nn/level.py``.

    Attributes:
        follow: track the level; False keeps it at ``prior_db`` (fixed statistics).
        attack_s: time constant while the energy is above the level.
        decay_s: time constant while the energy is below the level.
        start_s: weight of the prior, in seconds of audio.
        prior_db: level assumed before the first sample, in dB of mel energy.
        lowest_db: lower bound of the level, so that silence is not amplified.
        floor_db: energies further than this below the level are clamped to that floor.
        cmvn: running normalisation of each mel bin after level normalisation: none, mean, or mean
            and variance.
        cmvn_window_s: time constant of the running statistics, in seconds of speech.
        cmvn_mean_prior_s: weight of the training set's mean, in seconds of speech.
        cmvn_variance_prior_s: weight of the training set's variance, in seconds of speech.
        cmvn_min_std: smallest standard deviation, relative to the training set's.
        cmvn_gate_db: output frames whose energy is further than this below the level are pauses,
            which do not update the statistics.
        cmvn_ramp_db: the weight of a frame rises to 1 over this range above the gate; a frame this
            far below ``lowest_db`` is a pause at any level.
    """

    follow: bool = True
    attack_s: Positive = 0.1
    decay_s: Positive = 4.0
    start_s: Positive = 0.2
    prior_db: float = 20.0
    lowest_db: float = -20.0
    floor_db: float = -55.0
    cmvn: Literal["none", "mean", "mean_variance"] = "none"
    cmvn_window_s: Positive = 3.0
    cmvn_mean_prior_s: Positive = 0.3
    cmvn_variance_prior_s: Positive = 1.0
    cmvn_min_std: Positive = 0.4
    cmvn_gate_db: Positive = 25.0
    cmvn_ramp_db: Positive = 10.0


class EncoderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Subsampling, recurrent layers and head.

    Attributes:
        subsampling: mel frames per output frame.
        subsampler: ``"linear"`` is a linear layer over the previous and the current ``subsampling``
            frames; ``"conv"`` is two causal 3x3 convolutions and a linear layer.
        conv_channels: channels of each convolution (``"conv"`` only).
        layers: number of recurrent layers.
        width: units per layer.
        cell: kind of recurrent cell.
        direction: ``"uni"`` streams; ``"bi"`` needs the whole recording; ``"chunked"`` is
            latency-controlled: the backward direction sees a chunk and its right context.
        chunk_frames: output frames per chunk (``"chunked"`` only).
        right_frames: output frames of right context (``"chunked"`` only).
        lookahead: output frames that the look-ahead convolution sees (``"uni"`` only).
        dropout: dropout probability after each layer.
    """

    subsampling: Literal[2, 3, 4, 6, 8] = 4
    subsampler: Literal["linear", "conv"] = "linear"
    conv_channels: Annotated[int, Meta(ge=1, le=1_024)] = 32
    layers: Annotated[int, Meta(ge=1, le=64)] = 4
    width: Annotated[int, Meta(ge=1, le=8_192)] = 384
    cell: Literal["gru", "lstm", "rnn"] = "gru"
    direction: Literal["uni", "bi", "chunked"] = "uni"
    chunk_frames: Annotated[int, Meta(ge=1, le=4_096)] = 16
    right_frames: int = 8
    lookahead: Annotated[int, Meta(ge=0, le=4_096)] = 0
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        if self.lookahead and self.direction != "uni":
            raise ConfigError("encoder: lookahead is for direction = 'uni'; set it to 0")
        if self.direction == "chunked" and not 0 < self.right_frames <= self.chunk_frames:
            raise ConfigError("encoder: need 0 < right_frames <= chunk_frames")

    @property
    def delay(self) -> int:
        """Output frames by which the log-probabilities trail the audio."""
        return self.right_frames if self.direction == "chunked" else self.lookahead


class NetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole network, from samples to log-probabilities."""

    frontend: FrontendConfig = FrontendConfig()
    level: LevelConfig = LevelConfig()
    encoder: EncoderConfig = EncoderConfig()

    @property
    def frame_samples(self) -> int:
        """Samples per output frame."""
        return self.frontend.hop * self.encoder.subsampling

    def same_weights(self, other: NetConfig) -> bool:
        """Whether weights of ``other`` can be loaded as they are; only dropout may differ."""
        encoders = [msgspec.structs.replace(c.encoder, dropout=0.0) for c in (self, other)]
        return (self.frontend, self.level, encoders[0]) == (
            other.frontend,
            other.level,
            encoders[1],
        )

    def grows_from(self, other: NetConfig) -> bool:
        """Whether a network can be initialised from the layers and head of ``other``.

        Subsampling, subsampler, normalisation and DC removal may differ, and a look-ahead and
        further layers may be added, or a backward direction in place of a look-ahead.
        """
        gains_backward = self.encoder.direction != "uni" and other.encoder.direction == "uni"
        encoder = msgspec.structs.replace(
            self.encoder,
            subsampling=other.encoder.subsampling,
            subsampler=other.encoder.subsampler,
            conv_channels=other.encoder.conv_channels,
            lookahead=self.encoder.lookahead if other.encoder.lookahead else 0,
            layers=min(self.encoder.layers, other.encoder.layers),
        )
        if gains_backward:
            encoder = msgspec.structs.replace(
                encoder,
                direction="uni",
                lookahead=other.encoder.lookahead,
                chunk_frames=other.encoder.chunk_frames,
                right_frames=other.encoder.right_frames,
            )
        frontend = msgspec.structs.replace(
            self.frontend, remove_dc_offset=other.frontend.remove_dc_offset
        )
        grown = NetConfig(frontend=frontend, level=other.level, encoder=encoder)
        return grown.same_weights(other)
