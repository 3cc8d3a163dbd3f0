"""Live sessions: recognition of a microphone or other live source, and writers of files."""

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
