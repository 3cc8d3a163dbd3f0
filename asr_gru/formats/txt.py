"""Plain text: one line per segment, as people write it if that was asked for."""

from __future__ import annotations

from asr_gru.results import Transcript

__all__ = ["write_txt"]


def write_txt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Return the text of each segment on its own line."""
    return "".join(f"{segment.written or segment.text}\n" for segment in transcript.segments)
