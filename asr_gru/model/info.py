"""What a loaded model is, as its users see it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelInfo"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a loaded model is.

    Attributes:
        name: of the model, or "" for a recogniser built from parts.
        language: as in BCP 47, or "".
        sample_rate: rate that audio is resampled to, in Hz.
        streaming: False if only whole recordings can be recognised.
        step_s: seconds of audio per call of the model in a live stream.
        lookahead_s: seconds by which results trail the audio.
        vocabulary: number of tokens, the blank included.
    """

    name: str
    language: str
    sample_rate: int
    streaming: bool
    step_s: float
    lookahead_s: float
    vocabulary: int
