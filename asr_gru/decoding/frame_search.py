"""What all searches have in common that go through the frames of many streams side by side.

Frames that are blank for certain are not searched: their log-probabilities are added up, and
given to all paths before the next frame that is. Of the other frames, the first of each stream
are searched together, then the second, and so on; the streams with the most frames stand first,
so that those which still have some are always the first of the batch.
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
"""Score of the certain blanks between two searched frames, and whether there are any."""


class SearchState(Protocol):
    """What the states of these searches, which are dataclasses, have in common.

    Attributes:
        frame: frames seen.
        blank_score: log-probability of the certain blanks since the last frame that was searched.
        after_blank: whether there were any.
        finished: whether the end of the sentence was scored.
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
    """The streams of one call, those with the most frames first."""

    @abstractmethod
    def keep(self, count: int) -> None:
        """Go on with the first ``count`` streams; the others are done."""

    @abstractmethod
    def add_blanks(self, blanks: Sequence[Blanks]) -> None:
        """Add the certain blanks before a frame, of each stream, to its paths."""

    @abstractmethod
    def step(self, rows: Floats, frames: Ints) -> None:
        """Search one frame of each stream.

        Args:
            rows: ``(streams, tokens)`` log-probabilities, the bias taken off the blank.
            frames: ``(streams,)`` the frame's number in each stream.
        """

    @abstractmethod
    def advanced(self, frames: Sequence[int], blanks: Sequence[Blanks]) -> list[S]:
        """Return the states of all streams, also of those that are done.

        Args:
            frames: how many frames each took.
            blanks: the certain blanks at the end of each.
        """


class _Work(NamedTuple):
    """A stream's frames that must be searched, and the certain blanks around them.

    Attributes:
        frames: number of each frame that is searched.
        rows: its log-probabilities, the bias taken off the blank.
        blanks: those before each and after the last.
        length: all frames.
    """

    frames: list[int]
    rows: list[Floats]
    blanks: list[Blanks]
    length: int


class FrameSearch(Decoder[S]):
    """A search that advances many streams frame by frame.

    Args:
        tokens: columns of the log-probabilities; column 0 is the blank.
        blank_skip: probability of the blank above which a frame is not searched.
        blank_bias: taken off the log-probability of every blank, in nats.
        floor: least probability of a token.
    """

    def __init__(
        self, tokens: int, *, blank_skip: float, blank_bias: float, floor: float = 0.0
    ) -> None:
        self._tokens = tokens
        self._skip = math.log(blank_skip)
        self._bias = blank_bias
        self._floor = math.log(floor) if floor else -math.inf

    def advance(self, states: Sequence[S], log_probs: Sequence[LogProbs]) -> list[S]:
        """Take ``(frames, tokens)`` of each stream and return the states after them.

        Raises:
            Error: a state whose sentence is finished.
            ModelError: another number of tokens.
        """
        if not states:
            return []
        if any(state.finished for state in states):
            raise Error("this sentence is finished; begin another with start()")
        work = [self._work(s, rows) for s, rows in zip(states, log_probs, strict=True)]
        after = [_after_blanks(s, one) for s, one in zip(states, work, strict=True)]
        order = [i for i, one in enumerate(work) if one.frames]
        if not order:
            return after
        order.sort(key=lambda i: -len(work[i].frames))
        work = [work[i] for i in order]
        batch = self._batch([states[i] for i in order])
        for number in range(len(work[0].frames)):
            count = sum(len(one.frames) > number for one in work)
            batch.keep(count)
            batch.add_blanks([one.blanks[number] for one in work[:count]])
            rows = np.stack([one.rows[number] for one in work[:count]])
            batch.step(rows, np.array([one.frames[number] for one in work[:count]]))
        searched = batch.advanced([one.length for one in work], [one.blanks[-1] for one in work])
        for place, state in zip(order, searched, strict=True):
            after[place] = state
        return after

    @abstractmethod
    def _batch(self, states: Sequence[S]) -> StreamBatch[S]:
        """Put the streams of a call side by side."""

    def _work(self, state: S, log_probs: LogProbs) -> _Work:
        """Tell the frames that must be searched from those that are blank for certain."""
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
    """Return the state after frames none of which is searched."""
    score, any_blank = work.blanks[-1]
    return replace(state, frame=state.frame + work.length, blank_score=score, after_blank=any_blank)
