"""CTM of NIST's scoring tools: one word per line with start, length and confidence."""

from __future__ import annotations

from asr_gru.results import Transcript

__all__ = ["write_ctm"]


def write_ctm(transcript: Transcript, name: str) -> str:
    """Return ``name 1 start length word confidence`` for each word."""
    recording = "_".join(name.split()) or "recording"
    return "".join(
        f"{recording} 1 {word.start_s:.3f} {word.end_s - word.start_s:.3f} "
        f"{word.text} {word.confidence:.3f}\n"
        for word in transcript.words
    )
