"""Streaming speech recognition with GRU-CTC models, offline, on a plain CPU.

recognizer = asr_gru.Recognizer.load()
print(recognizer.transcribe("talk.flac").text)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from asr_gru.adaptation import Adaptation, adapt
    from asr_gru.errors import (
        AudioError,
        ConfigError,
        DataError,
        DeviceError,
        Error,
        MissingExtraError,
        ModelError,
    )
    from asr_gru.model.info import ModelInfo
    from asr_gru.recognizer import Recognizer
    from asr_gru.results import (
        Alignment,
        Alternative,
        Event,
        Match,
        Mismatch,
        Phone,
        Segment,
        Transcript,
        Word,
        WordAlternative,
    )
    from asr_gru.streaming.endpoint import EndpointRules
    from asr_gru.streaming.recordings import AudioInput
    from asr_gru.streaming.stream import Stream, StreamState

__all__ = [
    "Adaptation",
    "Alignment",
    "Alternative",
    "AudioError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "EndpointRules",
    "Error",
    "Event",
    "Match",
    "Mismatch",
    "MissingExtraError",
    "ModelError",
    "ModelInfo",
    "Phone",
    "Recognizer",
    "Segment",
    "Stream",
    "StreamState",
    "Transcript",
    "Word",
    "WordAlternative",
    "__version__",
    "adapt",
    "align",
]

__version__ = "0.1.0"

_LATER = {
    "Adaptation": "adaptation",
    "Alignment": "results",
    "Alternative": "results",
    "AudioError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "DeviceError": "errors",
    "EndpointRules": "streaming.endpoint",
    "Error": "errors",
    "Event": "results",
    "Match": "results",
    "Mismatch": "results",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "ModelInfo": "model.info",
    "Phone": "results",
    "Recognizer": "recognizer",
    "Segment": "results",
    "Stream": "streaming.stream",
    "StreamState": "streaming.stream",
    "Transcript": "results",
    "Word": "results",
    "WordAlternative": "results",
    "adapt": "adaptation",
}


def __getattr__(name: str) -> Any:
    """Import each name when it is first asked for, so that ``--help`` need not wait."""
    if name not in _LATER:
        raise AttributeError(f"module 'asr_gru' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"asr_gru.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def align(
    text: str,
    source: AudioInput,
    sample_rate: int | None = None,
    *,
    model: str | Path = "en-small",
) -> Alignment:
    """Find when each word and phone of a text is spoken in a recording of it.

    Load a ``Recognizer`` and call its ``align`` for several recordings.

    Args:
        text: the text of the recording, in written form.
        source: the name of a file, a binary file object, the bytes of a file, or samples.
        sample_rate: rate of samples, in Hz; not needed for files.
        model: the name of a bundled model, or the path of a model directory.

    Raises:
        Error: as ``Recognizer.load`` and ``Recognizer.align``.
    """
    from asr_gru.recognizer import Recognizer

    return Recognizer.load(model).align(text, source, sample_rate)


def __dir__() -> list[str]:
    return sorted(__all__)
