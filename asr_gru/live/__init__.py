"""A microphone, or any live source, through a stream; and the files that a session writes."""

from asr_gru.live.records import (
    AudioBlock,
    AudioDropped,
    Record,
    SourceLost,
    SourceRestored,
    Status,
)
from asr_gru.live.session import LiveSession

__all__ = [
    "AudioBlock",
    "AudioDropped",
    "LiveSession",
    "Record",
    "SourceLost",
    "SourceRestored",
    "Status",
]
