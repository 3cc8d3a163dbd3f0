"""SubRip subtitles."""

from __future__ import annotations

from asr_gru.formats.subtitles import cues, stamp
from asr_gru.results import Transcript

__all__ = ["write_srt"]


def write_srt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Return numbered cues."""
    return "\n".join(
        f"{number}\n{stamp(cue.start_s, ',')} --> {stamp(cue.end_s, ',')}\n"
        + "".join(f"{line}\n" for line in cue.lines)
        for number, cue in enumerate(cues(transcript), 1)
    )
