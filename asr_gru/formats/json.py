"""JSON: everything that is known, times in seconds."""

from __future__ import annotations

import json

from asr_gru.results import Transcript

__all__ = ["write_json", "write_json_line"]


def write_json(transcript: Transcript, name: str) -> str:
    """Return the name, the duration, the text, and the segments with their words."""
    return json.dumps(transcript.to_dict(name), ensure_ascii=False, indent=2) + "\n"


def write_json_line(transcript: Transcript, name: str) -> str:
    """Return the same on one line, for several transcripts one after the other (JSON Lines)."""
    return json.dumps(transcript.to_dict(name), ensure_ascii=False) + "\n"
