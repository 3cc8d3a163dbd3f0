"""Rows of log-probabilities to segments of words: the decoder under the endpoint rules.

Every decision is made at a frame, never at the end of a block, so the segments do not depend on
how many rows come at a time.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import Beam, Decoder, Hypothesis, WordTimes, words_of
from asr_gru.endpoint import Endpoint, EndpointRules, EndpointState, find_endpoint
from asr_gru.transcript import Segment, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_gru.text import Tokens

__all__ = ["OpenSegment", "Segmenter"]

LogProbs = npt.NDArray[np.float32]
SILENT = np.float32(math.log(0.5))
KEPT_S = 4.0
"""Seconds of rows kept, so that a word at the seam of a cut for length can be read again."""


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The segment that is being spoken; ``stable`` is the beginning that will not change."""

    id: int
    text: str
    stable: str
    words: tuple[Word, ...]


class Segmenter:
    """Cuts the rows of one stream into segments.

    At an endpoint the decoder starts afresh. A cut for length falls on a word boundary: rows
    after it, of a word that may still be growing, are read again as the beginning of the next
    segment, so no word is lost or doubled. Only a word that lasts longer than ``KEPT_S``, or
    fills its segment, is cut where it is.

    Args:
        decoder: reads the rows.
        tokens: gives the words.
        times: gives their seconds.
        rules: when a segment ends; may be changed at any time.
    """

    def __init__(
        self, decoder: Decoder, tokens: Tokens, times: WordTimes, rules: EndpointRules
    ) -> None:
        self.rules = rules
        self._decoder = decoder
        self._tokens = tokens
        self._times = times
        self._most_kept = max(1, round(KEPT_S / times.frame_s))
        self._state = EndpointState()
        self._certain = False
        self._id = 0
        self._frames = 0
        self._restart()

    def advance(self, log_probs: LogProbs) -> list[Segment]:
        """Take ``log_probs (frames, tokens)``; return the segments that ended with them."""
        closed: list[Segment] = []
        while len(log_probs):
            silence = (log_probs[:, 0] >= SILENT).tolist()
            self._state, end = find_endpoint(self._state, silence, self.rules, self._times.frame_s)
            count = end.frames if end else len(log_probs)
            self._read(log_probs[:count])
            log_probs = log_probs[count:]
            if end:
                again = self._end(end, closed)
                if again is not None:
                    log_probs = np.concatenate((again, log_probs))
        return closed

    def finish(self, duration_s: float) -> list[Segment]:
        """Close what is open; no word reaches beyond ``duration_s``."""
        closed: list[Segment] = []
        self._close(self._best(), closed, duration_s)
        return closed

    def open(self) -> OpenSegment | None:
        """Return the segment being spoken, once it is certain that it has a word."""
        best = self._best()
        done = len(self._done)
        rest = best.after(self._done_tokens)
        spans = self._tokens.word_spans(rest.tokens)
        if not (done or spans):
            return None
        settled = self._decoder.settled(self._beam) - self._done_tokens
        self._certain = self._certain or done > 0 or spans[0][1] < settled or self._is_certain()
        if not self._certain:
            return None
        words = (*self._done, *self._words(rest))
        text = " ".join(word.text for word in words)
        whole = sum(behind < settled for _, _, behind in spans)
        stable = " ".join(word.text for word in words[: done + whole])
        self._keep_done(spans, words[done:], settled)
        return OpenSegment(self._id, text, stable, words)

    def _keep_done(
        self, spans: list[tuple[str, int, int]], words: Sequence[Word], settled: int
    ) -> None:
        """Remember words with a settled word behind them, so as not to spell them again."""
        count = sum(first < settled for _, first, _ in spans[1:])
        if count:
            self._done += words[:count]
            self._done_tokens += spans[count - 1][2]

    def _is_certain(self) -> bool:
        readings = self._decoder.best(self._beam, sys.maxsize)
        return all(self._tokens.word_spans(reading.tokens) for reading in readings)

    def _restart(self) -> None:
        self._beam: Beam = self._decoder.start()
        self._state = EndpointState()
        self._first_frame = self._frames
        self._kept: list[LogProbs] = []
        self._certain = False
        self._done: list[Word] = []
        self._done_tokens = 0

    def _read(self, log_probs: LogProbs) -> None:
        self._beam = self._decoder.advance(self._beam, log_probs)
        self._frames += len(log_probs)
        if self.rules.longest_s is None:
            self._kept = []
            return
        self._kept.append(log_probs)
        spare = sum(map(len, self._kept)) - self._most_kept
        while spare >= len(self._kept[0]):
            spare -= len(self._kept.pop(0))

    def _best(self) -> Hypothesis:
        return self._decoder.best(self._beam)[0]

    def _words(self, best: Hypothesis, duration_s: float = math.inf) -> tuple[Word, ...]:
        return words_of(
            best, self._tokens, self._times, first_frame=self._first_frame, latest_s=duration_s
        )

    def _end(self, end: Endpoint, closed: list[Segment]) -> LogProbs | None:
        """Close the segment if ``end`` holds; return the rows that are to be read again."""
        best = self._best()
        spans = self._tokens.word_spans(best.tokens)
        if end.reason == "silence" and not spans:
            self._state = replace(self._state, length=0)  # what was heard was no word
            return None
        kept, again = len(best.tokens), 0
        if end.reason in {"pause", "length"} and spans and spans[-1][2] == kept:
            kept, again = self._last_boundary(best, spans)
            if end.reason == "pause" and (len(spans) < 2 or again != 1):
                return None
        rows = np.concatenate(self._kept)[-again:] if again else None
        self._close(best.first(kept), closed)
        self._frames -= again
        self._restart()
        return rows

    def _last_boundary(
        self, best: Hypothesis, spans: list[tuple[str, int, int]]
    ) -> tuple[int, int]:
        """Return the tokens before the last word, and how many frames ago that began.

        In a segment of a single word, its last token takes the place of the last word.
        """
        whole = len(best.tokens)
        position = spans[-1][1] if len(spans) > 1 else whole - 1
        again = self._frames - self._first_frame - best.frames[position]
        if position <= spans[0][1] or again > min(self._most_kept, sum(map(len, self._kept))):
            return whole, 0
        return position, again

    def _close(self, best: Hypothesis, closed: list[Segment], duration_s: float = math.inf) -> None:
        words = self._words(best, duration_s)
        if words:
            text = " ".join(word.text for word in words)
            closed.append(Segment(self._id, text, words[0].start_s, words[-1].end_s, words))
            self._id += 1
