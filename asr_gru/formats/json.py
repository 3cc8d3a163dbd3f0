"""JSON: the complete transcript, with times in seconds."""

from __future__ import annotations

import json

from asr_gru.results import Alignment, Transcript

__all__ = ["write_json", "write_json_line"]


def write_json(result: Transcript | Alignment, name: str) -> str:
    """Return a document of name, duration, text, and segments with their words."""
    return json.dumps(result.to_dict(name), ensure_ascii=False, indent=2) + "\n"


def write_json_line(transcript: Transcript, name: str) -> str:
    """Return the document of ``write_json`` on a single line, as in JSON Lines."""
    return json.dumps(transcript.to_dict(name), ensure_ascii=False) + "\n"
