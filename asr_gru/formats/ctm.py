"""CTM, the word timing format of NIST's sclite: one word per line with its confidence."""

from __future__ import annotations

from asr_gru.results import Transcript

__all__ = ["write_ctm"]


def write_ctm(transcript: Transcript, name: str) -> str:
    """Return a line ``name 1 start duration word confidence`` for each word."""
    recording = "_".join(name.split()) or "recording"
    return "".join(
        f"{recording} 1 {word.start_s:.3f} {word.end_s - word.start_s:.3f} "
        f"{'_'.join(word.text.split())} {word.confidence:.3f}\n"
        for word in transcript.words
    )
