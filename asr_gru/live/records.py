"""What a live session yields: events, and what happens to its source."""

from __future__ import annotations

from dataclasses import dataclass

from asr_gru.audio import Samples
from asr_gru.results import Event

__all__ = ["AudioBlock", "AudioDropped", "Record", "SourceLost", "SourceRestored", "Status"]


@dataclass(frozen=True, slots=True)
class SourceLost:
    """The source is gone; the open segment has been closed, and the source is looked for."""

    message: str
    at_s: float


@dataclass(frozen=True, slots=True)
class SourceRestored:
    """The source, or another in its place, is there again after ``gap_s`` seconds."""

    description: str
    gap_s: float


@dataclass(frozen=True, slots=True)
class AudioDropped:
    """``seconds`` of sound came faster than they were read, and are silence in the session."""

    seconds: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Status:
    """How the session is doing; about six a second, never more than ten.

    Attributes:
        audio_s: the session's clock: seconds since its beginning, gaps included.
        level_db: root mean square of the loudest block since the last status, in dBFS; -120 is
            digital silence.
        load: share of one processor core that this process takes, over about two seconds.
        lag_s: how long ago the last sample that was recognised arrived.
    """

    audio_s: float
    level_db: float
    load: float
    lag_s: float


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Sound as it came, ``samples (n,)`` mono, for those who keep it."""

    samples: Samples
    sample_rate: int
    start_s: float


Record = Event | SourceLost | SourceRestored | AudioDropped | Status | AudioBlock
