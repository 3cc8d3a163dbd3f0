"""Subtitle cues: split at pauses, two lines of 42 characters, at most seven seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_gru.results import Transcript, Word

__all__ = ["Cue", "cues", "timestamp"]

MAX_LINE_LENGTH, MAX_LINES = 42, 2
MAX_CUE_S, MIN_CUE_S = 7.0, 1.0
MIN_PAUSE_S = 0.6


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text result from ``start_s`` to ``end_s``."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def cues(transcript: Transcript) -> list[Cue]:
    """Split a transcript into cues that contain every word in order and never overlap.

    Words are those that people write, if they were asked for.
    """
    groups: list[list[Word]] = []
    for segment in transcript.segments:
        groups.append([])
        for word in segment.written_words or segment.words:
            if groups[-1] and not _fits(groups[-1], word):
                groups.append([])
            groups[-1].append(word)
    groups = [group for group in groups if group]
    result = []
    for index, group in enumerate(groups):
        start_s = group[0].start_s
        last = index + 1 == len(groups)
        limit = transcript.duration_s if last else groups[index + 1][0].start_s
        wanted = max(group[-1].end_s, start_s + MIN_CUE_S)
        end_s = max(group[-1].end_s, min(wanted, limit)) if last else min(wanted, limit)
        result.append(
            Cue(start_s, max(start_s, end_s), _balanced_lines([word.marked for word in group]))
        )
    return result


def _fits(group: Sequence[Word], word: Word) -> bool:
    if word.start_s - group[-1].end_s >= MIN_PAUSE_S or word.end_s - group[0].start_s > MAX_CUE_S:
        return False
    return len(_wrap([*(w.marked for w in group), word.marked], MAX_LINE_LENGTH)) <= MAX_LINES


def _wrap(words: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def _balanced_lines(words: Sequence[str]) -> tuple[str, ...]:
    """Break into as few lines as needed, of lengths as even as possible."""
    lines = _wrap(words, MAX_LINE_LENGTH)
    for width in range(1, MAX_LINE_LENGTH):
        narrower = _wrap(words, width)
        if len(narrower) == len(lines) and max(map(len, narrower)) <= MAX_LINE_LENGTH:
            return tuple(narrower)
    return tuple(lines)


def timestamp(seconds: float, point: str) -> str:
    """Return ``hh:mm:ss.mmm`` with ``point`` as the decimal separator."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
