"""Splits a segment that is too long, so that no word is lost or repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import Hypothesis, WordSpan

Rows = npt.NDArray[np.float32]

__all__ = ["find_split", "is_between_words", "last_blocks"]


def find_split(
    best: Hypothesis, spans: Sequence[WordSpan], *, frames: int, max_repeated: int
) -> tuple[int, int]:
    """Return the number of tokens that stay in the segment, and of frames to decode again.

    The last word is moved to the next segment if it may be incomplete; if it is the only one, its
    last token is moved. If that would move the whole segment, or more frames than were kept,
    everything stays.

    Args:
        best: the best hypothesis of the segment.
        spans: its words.
        frames: number of frames of the segment so far.
        max_repeated: maximum number of frames that can be decoded again.
    """
    whole = len(best.tokens)
    if not spans:
        return whole, 0
    position = spans[-1].start if len(spans) > 1 else whole - 1
    if spans[-1].stop < whole:
        if best.words is None:
            return whole, 0
        position = spans[-1].stop
    repeated = frames - best.frames[position]
    if position <= spans[0].start or repeated > max_repeated:
        return whole, 0
    return position, repeated


def is_between_words(best: Hypothesis, spans: Sequence[WordSpan], repeated: int) -> bool:
    """Return whether a pause is between two words; ``repeated`` is from ``find_split``."""
    whole = not spans or spans[-1].stop < len(best.tokens)
    if best.words is not None:
        return bool(spans) and not whole
    return whole or (len(spans) > 1 and repeated == 1)


def last_blocks(blocks: Sequence[Rows], count: int) -> list[Rows]:
    """Return the fewest last blocks that have ``count`` rows together."""
    kept = list(blocks)
    spare = sum(map(len, kept)) - count
    while kept and spare >= len(kept[0]):
        spare -= len(kept.pop(0))
    return kept
