"""WebVTT subtitles."""

from __future__ import annotations

import html

from asr_gru.formats.subtitles import cues, stamp
from asr_gru.results import Transcript

__all__ = ["write_vtt"]


def write_vtt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Return the header and the cues, with ``& < >`` escaped."""
    return "WEBVTT\n" + "".join(
        f"\n{stamp(cue.start_s, '.')} --> {stamp(cue.end_s, '.')}\n"
        + "".join(f"{html.escape(line, quote=False)}\n" for line in cue.lines)
        for cue in cues(transcript)
    )
