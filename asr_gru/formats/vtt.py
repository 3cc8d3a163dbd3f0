"""WebVTT subtitles."""

from __future__ import annotations

import html

from asr_gru.formats.subtitles import Cue, cues, timestamp
from asr_gru.results import Transcript

__all__ = ["VTT_HEADER", "vtt_cue", "write_vtt"]

VTT_HEADER = "WEBVTT\n"


def write_vtt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Return the header and the cues, with ``& < >`` escaped."""
    return VTT_HEADER + "".join(map(vtt_cue, cues(transcript)))


def vtt_cue(cue: Cue) -> str:
    """Return one cue, preceded by the blank line that separates it from the previous one."""
    span = f"{timestamp(cue.start_s, '.')} --> {timestamp(cue.end_s, '.')}"
    lines = (html.escape(line, quote=False) for line in cue.lines)
    return "\n" + "".join(f"{line}\n" for line in (span, *lines))
