"""Adds the written form, with times, to final segments."""

from __future__ import annotations

from dataclasses import replace

from asr_gru.results import Segment, Word
from asr_gru.text import write_words

__all__ = ["with_written"]


def with_written(segment: Segment) -> Segment:
    """Return the segment with its written words.

    A written word spans its spoken words, and has the lowest of their confidences.
    """
    written = []
    for word in write_words([word.text for word in segment.words]):
        spoken = segment.words[word.first : word.stop]
        written.append(
            Word(
                text=word.text,
                start_s=spoken[0].start_s,
                end_s=spoken[-1].end_s,
                confidence=min(one.confidence for one in spoken),
                uncertain=any(one.uncertain for one in spoken),
            )
        )
    return replace(segment, written_words=tuple(written))
