"""Base class of frame-synchronous searches over the frames of many streams.

Frames that are almost certainly blank are skipped: their log-probabilities are summed and added to
all paths before the next searched frame. The remaining frames are searched in lockstep, the first
of each stream, then the second, and so on. Streams are sorted by their number of frames, so the
streams that have frames left are always the first of the batch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from asr_gru.decoding.protocol import Decoder, LogProbs
from asr_gru.decoding.tree_state import Floats, Ints
from asr_gru.errors import Error, ModelError

__all__ = ["Blanks", "FrameSearch", "SearchState", "StreamBatch"]

Blanks = tuple[float, bool]
"""Score of the skipped frames between two searched frames, and whether there are any."""


class SearchState(Protocol):
    """The common fields of search states, which are dataclasses.

    Attributes:
        frame: number of frames so far.
        blank_score: summed log-probability of the frames skipped since the last searched frame.
        after_blank: whether any frames were skipped.
        finished: whether the sentence end has been scored.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def frame(self) -> int: ...  # noqa: D102
    @property
    def blank_score(self) -> float: ...  # noqa: D102
    @property
    def after_blank(self) -> bool: ...  # noqa: D102
    @property
    def finished(self) -> bool: ...  # noqa: D102


S = TypeVar("S", bound=SearchState)


class StreamBatch(ABC, Generic[S]):
    """The streams of one call, in descending order of frames."""

    @abstractmethod
    def keep(self, count: int) -> None:
        """Continue with the first ``count`` streams; the others are finished."""

    @abstractmethod
    def add_blanks(self, blanks: Sequence[Blanks]) -> None:
        """Add the skipped frames before a searched frame to the paths of each stream."""

    @abstractmethod
    def step(self, rows: Floats, frames: Ints) -> None:
        """Search one frame of each stream.

        Args:
            rows: ``(streams, tokens)`` log-probabilities, with the blank bias applied.
            frames: ``(streams,)`` index of the frame in each stream.
        """

    @abstractmethod
    def advanced(self, frames: Sequence[int], blanks: Sequence[Blanks]) -> list[S]:
        """Return the states of all streams, including finished ones.

        Args:
            frames: number of frames of each stream.
            blanks: skipped frames at the end of each stream.
        """


class _Work(NamedTuple):
    """The frames of a stream that are searched, and the skipped ones between them.

    Attributes:
        frames: index of each searched frame.
        rows: its log-probabilities, with the blank bias applied.
        blanks: skipped frames before each searched frame and after the last.
        length: number of all frames.
    """

    frames: list[int]
    rows: list[Floats]
    blanks: list[Blanks]
    length: int


class FrameSearch(Decoder[S]):
    """A search that advances many streams in lockstep.

    Args:
        tokens: columns of the log-probabilities; column 0 is the blank.
        blank_skip: blank probability above which a frame is skipped.
        blank_bias: subtracted from the log-probability of the blank, in nats.
        floor: lower bound of the probability of a token.
    """

    def __init__(
        self, tokens: int, *, blank_skip: float, blank_bias: float, floor: float = 0.0
    ) -> None:
        self._tokens = tokens
        self._skip = math.log(blank_skip)
        self._bias = blank_bias
        self._floor = math.log(floor) if floor else -math.inf

    def advance(self, states: Sequence[S], log_probs: Sequence[LogProbs]) -> list[S]:
        """Advance each stream by its ``(frames, tokens)`` rows; return the new states.

        Raises:
            Error: a sentence is finished.
            ModelError: the number of tokens is wrong.
        """
        if not states:
            return []
        if any(state.finished for state in states):
            raise Error("this sentence is finished; start another with start()")
        work = [self._work(s, rows) for s, rows in zip(states, log_probs, strict=True)]
        order = [i for i, one in enumerate(work) if one.frames]
        after = [
            s if one.frames else _after_blanks(s, one) for s, one in zip(states, work, strict=True)
        ]
        if not order:
            return after
        order.sort(key=lambda i: -len(work[i].frames))
        work = [work[i] for i in order]
        batch = self._batch([states[i] for i in order])
        for number in range(len(work[0].frames)):
            count = sum(len(one.frames) > number for one in work)
            batch.keep(count)
            batch.add_blanks([one.blanks[number] for one in work[:count]])
            rows = [one.rows[number] for one in work[:count]]
            frames = np.array([one.frames[number] for one in work[:count]])
            batch.step(np.stack(rows) if count > 1 else rows[0][None], frames)
        searched = batch.advanced([one.length for one in work], [one.blanks[-1] for one in work])
        for place, state in zip(order, searched, strict=True):
            after[place] = state
        return after

    @abstractmethod
    def _batch(self, states: Sequence[S]) -> StreamBatch[S]:
        """Create the batch of the streams of a call."""

    def _work(self, state: S, log_probs: LogProbs) -> _Work:
        """Split the frames into searched and skipped ones."""
        if log_probs.ndim != 2 or log_probs.shape[1] != self._tokens:
            raise ModelError(
                f"log-probabilities of shape {log_probs.shape}; this decoder is for a model of "
                f"{self._tokens} tokens"
            )
        rows = log_probs.astype(np.float64)
        certain = (rows[:, 0] > self._skip).tolist()
        if self._floor > -math.inf:
            np.maximum(rows, self._floor, out=rows)
        rows[:, 0] -= self._bias
        work = _Work([], [], [], len(rows))
        score, any_blank = state.blank_score, state.after_blank
        for frame, (blank, skip) in enumerate(zip(rows[:, 0].tolist(), certain, strict=True)):
            if skip:
                score, any_blank = score + blank, True
            else:
                work.frames.append(state.frame + frame)
                work.rows.append(rows[frame])
                work.blanks.append((score, any_blank))
                score, any_blank = 0.0, False
        work.blanks.append((score, any_blank))
        return work


def _after_blanks(state: S, work: _Work) -> S:
    """Return the state after skipped frames only."""
    score, any_blank = work.blanks[-1]
    return replace(state, frame=state.frame + work.length, blank_score=score, after_blank=any_blank)
