"""Praat TextGrid with a tier of words, a tier of phones if there are any, and one of segments."""

from __future__ import annotations

from collections.abc import Iterable

from asr_gru.results import Transcript

__all__ = ["write_textgrid"]

Interval = tuple[float, float, str]


def write_textgrid(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Return a TextGrid that spans the whole recording."""
    words = [(word.start_s, word.end_s, word.marked) for word in transcript.words]
    phones = [(p.start_s, p.end_s, p.text) for word in transcript.words for p in word.phones]
    segments = [(s.start_s, s.end_s, s.text) for s in transcript.segments]
    end_s = max([transcript.duration_s, 0.001, *(end for _, end, _ in [*words, *segments])])
    tiers = [("words", words), ("segments", segments)]
    if phones:
        tiers.insert(1, ("phones", phones))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end_s:.6f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (tier, labelled) in enumerate(tiers, 1):
        intervals = _fill_gaps(labelled, end_s)
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{tier}"',
            "        xmin = 0",
            f"        xmax = {end_s:.6f}",
            f"        intervals: size = {len(intervals)}",
        ]
        for index, (start, end, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {start:.6f}",
                f"            xmax = {end:.6f}",
                f'            text = "{quoted}"',
            ]
    return "\n".join(lines) + "\n"


def _fill_gaps(labelled: Iterable[Interval], end_s: float) -> list[Interval]:
    """Fill the gaps between intervals with empty ones; drop intervals of no length."""
    filled: list[Interval] = []
    now = 0.0
    for start, end, text in labelled:
        start, end = max(now, round(start, 6)), round(end, 6)
        if end <= start:
            continue
        if start > now:
            filled.append((now, start, ""))
        filled.append((start, end, text))
        now = end
    if now < round(end_s, 6):
        filled.append((now, round(end_s, 6), ""))
    return filled
