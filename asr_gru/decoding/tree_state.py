"""State of the tree search: hypotheses and their traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "Hypotheses", "Ints", "Trace", "TreeState"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NODE, LAST, LM_STATE, WORDS_HASH, TRACE, PHONE, WORD, ONSET, END = range(9)
"""Rows of ``Hypotheses.ints``; those from TRACE on become an entry of the trace."""
SCORE, ACOUSTIC, PEAK, LM_SCORE, POSTERIOR, SHORTFALL, CHARGED = range(7)
"""Rows of ``Hypotheses.floats``; ACOUSTIC to POSTERIOR become an entry of the trace."""
TRACED = slice(ACOUSTIC, POSTERIOR + 1)
PLAIN_ROWS, HOT_ROWS = POSTERIOR + 1, CHARGED + 1
"""Numbers of these rows without and with hot words."""
PARENT, T_PHONE, T_WORD, T_ONSET, T_END = range(5)
T_ACOUSTIC, T_PEAK, T_LM_SCORE, T_POSTERIOR = range(4)


class Hypotheses(NamedTuple):
    """One column per hypothesis.

    Attributes:
        ints: ``(9, n)``: node of the tree; the last token, 0 for a blank; state of the language
            model; hash of the completed words; newest entry of the trace, or -1; the newest phone,
            0 before the first; the word that it completed, or -1; its first and last frame, -1
            before the first.
        floats: ``(5, n)``: score; its acoustic part; the newest phone's log-probability in its
            surest frame; the completed word's language-model log-probability; the logarithm of its
            share of the probability of all hypotheses in the frame that completed it. With hot
            words ``(7, n)``: then how much likelier the likeliest tokens are since the newest word
            began, in nats; and what the bonus of a phrase that has begun was reduced by.
    """

    ints: Ints
    floats: Floats


class Trace(NamedTuple):
    """Completed phones of hypotheses; parents precede their children.

    Attributes:
        ints: ``(5, n)``: parent or -1; phone; the word that it completed, or -1; its first and
            last frame.
        floats: ``(4, n)``: acoustic score of the path up to the next phone; the phone's
            log-probability in its surest frame; language-model log-probability of the word; and
            the logarithm of its share, as in ``Hypotheses``.
    """

    ints: Ints
    floats: Floats


@dataclass(frozen=True, slots=True)
class TreeState:
    """State of a stream between two calls; immutable.

    Attributes:
        frame: number of frames so far.
        hypotheses: the kept hypotheses.
        trace: the phones before their newest ones, as far as a hypothesis refers to them.
        settled: number of first entries of ``trace`` that all hypotheses share.
        blank_score: summed log-probability of the frames skipped since the last searched frame.
        after_blank: whether any frames were skipped.
        finished: whether the sentence end has been scored.
        extra: spellings of the words whose numbers follow those of the lexicon.
    """

    frame: int
    hypotheses: Hypotheses
    trace: Trace
    settled: int = 0
    blank_score: float = 0.0
    after_blank: bool = False
    finished: bool = False
    extra: tuple[str, ...] = ()
