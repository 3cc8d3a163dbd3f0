"""Where a segment that is too long is cut, so that no word is lost or repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import Hypothesis, WordSpan

Rows = npt.NDArray[np.float32]

__all__ = ["find_seam", "is_between_words", "latest"]


def find_seam(
    best: Hypothesis, spans: Sequence[WordSpan], *, frames: int, max_again: int
) -> tuple[int, int]:
    """Return the number of tokens that stay in the segment, and of frames to decode again.

    A word that may still grow is moved to the next segment; in a segment of a single word, its
    last token is. If that would move the whole segment, or more frames than are kept, everything
    stays.

    Args:
        best: the best hypothesis of the segment.
        spans: its words.
        frames: frames of the segment so far.
        max_again: number of the last frames that can be decoded again.
    """
    whole = len(best.tokens)
    if not spans:
        return whole, 0
    position = spans[-1].start if len(spans) > 1 else whole - 1
    if spans[-1].stop < whole:
        if best.words is None:
            return whole, 0
        position = spans[-1].stop
    again = frames - best.frames[position]
    if position <= spans[0].start or again > max_again:
        return whole, 0
    return position, again


def is_between_words(best: Hypothesis, spans: Sequence[WordSpan], again: int) -> bool:
    """Return whether a pause separates two words, given the frames that ``find_seam`` returned."""
    whole = not spans or spans[-1].stop < len(best.tokens)
    if best.words is not None:
        return bool(spans) and not whole
    return whole or (len(spans) > 1 and again == 1)


def latest(blocks: Sequence[Rows], most: int) -> list[Rows]:
    """Return the last of the blocks, no fewer than hold ``most`` rows together."""
    kept = list(blocks)
    spare = sum(map(len, kept)) - most
    while kept and spare >= len(kept[0]):
        spare -= len(kept.pop(0))
    return kept
