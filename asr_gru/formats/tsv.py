"""Tab-separated segments: start and end in milliseconds, and text."""

from __future__ import annotations

from asr_gru.results import Transcript

__all__ = ["write_tsv"]


def write_tsv(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Return a header row and one row per segment."""
    lines = ["start\tend\ttext"]
    for segment in transcript.segments:
        text = " ".join((segment.written or segment.text).split())
        lines.append(f"{round(segment.start_s * 1000)}\t{round(segment.end_s * 1000)}\t{text}")
    return "\n".join(lines) + "\n"
