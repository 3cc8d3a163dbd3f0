"""A client's stream in the server: its queue, the work of one tick, and its updates."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import AnyDecoder
from asr_gru.language import HotWord
from asr_gru.results import Event
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.stream import Stream

__all__ = ["Block", "Change", "HotWordChange", "ServedStream", "StreamUpdate", "StreamWork"]

MAX_TICK_S = 2.0
"""Maximum audio taken from one client per tick, so that a fast sender does not delay the others."""

Block = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class HotWordChange:
    """New hot words and their decoder."""

    decoder: AnyDecoder
    listed: tuple[HotWord, ...]


Change = EndpointRules | HotWordChange


@dataclass(frozen=True, slots=True)
class StreamUpdate:
    """The update of one stream after a tick. An update with ``error`` or ``ended`` is the last.

    Attributes:
        events: in order.
        audio_s: seconds of the stream's audio that have been recognised.
        lag_s: seconds from the arrival of the oldest audio of this tick until now.
        error: why the stream failed; an ``Error`` if its input is at fault.
        ended: the stream was finished, as ``Batcher.end`` asked.
    """

    events: list[Event]
    audio_s: float
    lag_s: float
    error: Exception | None = None
    ended: bool = False


@dataclass(eq=False, slots=True)
class ServedStream:
    """A client's stream; only the batcher touches ``stream``.

    Attributes:
        on_update: called in the event loop with each update, and not after the last one.
        queue: pending blocks and changes, each with its time of arrival (``time.monotonic``).
        samples: length of the blocks in ``queue``.
        ending: ``Batcher.end`` was called, and no tick has finished the stream yet.
        closed: the last update was sent, or ``Batcher.detach`` was called.
        has_room: set unless more audio is queued than a client may be behind.
    """

    stream: Stream
    sample_rate: int
    on_update: Callable[[StreamUpdate], None]
    queue: deque[tuple[Block | Change, float]] = field(default_factory=deque)
    samples: int = 0
    ending: bool = False
    closed: bool = False
    has_room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def behind_s(self) -> float:
        """Seconds of audio that are queued."""
        return self.samples / self.sample_rate

    @property
    def waiting_s(self) -> float:
        """Age of the oldest item of ``queue`` in seconds; 0 if it is empty."""
        return time.monotonic() - self.queue[0][1] if self.queue else 0.0

    def put(self, item: Block | Change) -> None:
        """Append a block or a change to the queue."""
        self.queue.append((item, time.monotonic()))
        if isinstance(item, np.ndarray):
            self.samples += len(item)

    def take(self) -> StreamWork:
        """Remove the work of one tick, ``MAX_TICK_S`` of audio at most, from the queue."""
        items: list[Block | Change] = []
        limit = math.ceil(MAX_TICK_S * self.sample_rate)
        taken = 0
        first = self.queue[0][1] if self.queue else time.monotonic()
        while self.queue and taken < limit:
            item, arrived = self.queue.popleft()
            if isinstance(item, np.ndarray):
                room = limit - taken
                if len(item) > room:
                    self.queue.appendleft((item[room:], arrived))
                    item = item[:room]
                taken += len(item)
            items.append(item)
        self.samples -= taken
        ending = self.ending and not self.queue
        if ending:
            self.ending = False
        return StreamWork(self, items, first, ending)


@dataclass(slots=True)
class StreamWork:
    """The work of one tick for one stream.

    Attributes:
        served: the stream.
        items: blocks and changes, in order.
        arrived: arrival time of the first item (``time.monotonic``).
        ending: whether the stream is to be finished after them.
        events: events of the tick.
        error: why the stream failed, or None.
    """

    served: ServedStream
    items: list[Block | Change]
    arrived: float
    ending: bool
    events: list[Event] = field(default_factory=list)
    error: Exception | None = None
