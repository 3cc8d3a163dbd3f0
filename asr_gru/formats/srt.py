"""SubRip subtitles."""

from __future__ import annotations

from asr_gru.formats.subtitles import Cue, cues, timestamp
from asr_gru.results import Transcript

__all__ = ["srt_cue", "write_srt"]


def write_srt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Return numbered cues."""
    return "\n".join(srt_cue(number, cue) for number, cue in enumerate(cues(transcript), 1))


def srt_cue(number: int, cue: Cue) -> str:
    """Return one cue, without the blank line that separates it from the next."""
    span = f"{timestamp(cue.start_s, ',')} --> {timestamp(cue.end_s, ',')}"
    return "".join(f"{line}\n" for line in (number, span, *cue.lines))
