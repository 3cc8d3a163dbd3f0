"""A microphone, or any live source, through a stream; and the files that a session writes."""

from asr_gru.live.session import (
    AudioBlock,
    AudioDropped,
    LiveSession,
    Record,
    SourceLost,
    SourceRestored,
    Status,
)

__all__ = [
    "AudioBlock",
    "AudioDropped",
    "LiveSession",
    "Record",
    "SourceLost",
    "SourceRestored",
    "Status",
]
