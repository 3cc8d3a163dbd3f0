"""Properties of a loaded model."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_MODEL", "ModelInfo"]

DEFAULT_MODEL = "en-small"
"""The bundled model that is used unless another is named."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Properties of a loaded model, as returned by ``Recognizer.info``.

    Attributes:
        name: name of the model, or "" if the recogniser was built from parts.
        language: BCP 47 tag, or "".
        sample_rate: rate that audio is resampled to, in Hz.
        streaming: False if only whole recordings can be recognised.
        step_s: seconds of audio per call of the model in a live stream.
        lookahead_s: seconds by which results trail the audio.
        vocab_size: number of tokens, the blank included.
    """

    name: str
    language: str
    sample_rate: int
    streaming: bool
    step_s: float
    lookahead_s: float
    vocab_size: int
