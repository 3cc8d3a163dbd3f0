"""Records of a live session: recognition events, status, and changes of the source."""

from __future__ import annotations

from dataclasses import dataclass

from asr_gru.audio import Samples
from asr_gru.results import Event

__all__ = ["AudioBlock", "AudioDropped", "Record", "SourceLost", "SourceRestored", "Status"]


@dataclass(frozen=True, slots=True)
class SourceLost:
    """The source was lost: the open segment was finished, and reopening is attempted."""

    message: str
    at_s: float


@dataclass(frozen=True, slots=True)
class SourceRestored:
    """The source, or a replacement, was reopened after ``gap_s`` seconds."""

    description: str
    gap_s: float


@dataclass(frozen=True, slots=True)
class AudioDropped:
    """``seconds`` of audio were not read in time and are replaced by silence."""

    seconds: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Status:
    """State of the session; about six per second, and at most ten.

    Attributes:
        audio_s: session time: seconds since the start, including gaps.
        level_db: RMS level of the loudest block since the last status, in dBFS; -120 is digital
            silence.
        load: processor cores that this process uses, averaged over about two seconds.
        lag_s: seconds since the last recognised sample arrived.
    """

    audio_s: float
    level_db: float
    load: float
    lag_s: float


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Audio as received: mono ``samples (n,)``, starting at ``start_s``."""

    samples: Samples
    sample_rate: int
    start_s: float


Record = Event | SourceLost | SourceRestored | AudioDropped | Status | AudioBlock
