"""JSON: everything that is known, times in seconds."""

from __future__ import annotations

import json
from typing import Any

from asr_gru.results import Transcript, Word

__all__ = ["write_json", "write_json_line"]


def write_json(transcript: Transcript, name: str) -> str:
    """Return name, duration, text, and segments with their words."""
    return json.dumps(_document(transcript, name), ensure_ascii=False, indent=2) + "\n"


def write_json_line(transcript: Transcript, name: str) -> str:
    """Return the same on one line, for several transcripts one after the other (JSON Lines)."""
    return json.dumps(_document(transcript, name), ensure_ascii=False) + "\n"


def _document(transcript: Transcript, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "duration_s": round(transcript.duration_s, 3),
        "text": transcript.text,
        "segments": [
            {
                "id": segment.id,
                "start_s": round(segment.start_s, 3),
                "end_s": round(segment.end_s, 3),
                "text": segment.text,
                "words": [_word(word) for word in segment.words],
            }
            for segment in transcript.segments
        ],
    }


def _word(word: Word) -> dict[str, str | float]:
    return {
        "text": word.text,
        "start_s": round(word.start_s, 3),
        "end_s": round(word.end_s, 3),
        "confidence": round(word.confidence, 3),
    }
