"""Streaming speech recognition with GRU-CTC models, offline, on a plain CPU.

recognizer = asr_gru.Recognizer.load()
print(recognizer.transcribe("talk.flac").text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr_gru.errors import (
    AudioError,
    ConfigError,
    DataError,
    DeviceError,
    Error,
    MissingExtraError,
    ModelError,
)
from asr_gru.results import Event, Match, Segment, Transcript, Word

if TYPE_CHECKING:
    from asr_gru.model.info import ModelInfo
    from asr_gru.recognizer import Recognizer
    from asr_gru.streaming.endpoint import EndpointRules
    from asr_gru.streaming.stream import Stream, StreamState

__all__ = [
    "AudioError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "EndpointRules",
    "Error",
    "Event",
    "Match",
    "MissingExtraError",
    "ModelError",
    "ModelInfo",
    "Recognizer",
    "Segment",
    "Stream",
    "StreamState",
    "Transcript",
    "Word",
    "__version__",
]

__version__ = "0.1.0"

_LATER = {
    "EndpointRules": "streaming.endpoint",
    "ModelInfo": "model.info",
    "Recognizer": "recognizer",
    "Stream": "streaming.stream",
    "StreamState": "streaming.stream",
}


def __getattr__(name: str) -> Any:
    """Import what needs numpy when it is first asked for, so that ``--help`` need not wait."""
    if name not in _LATER:
        raise AttributeError(f"module 'asr_gru' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"asr_gru.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
