"""The streams of all clients, stepped together: one call of the graph a tick."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from asr_gru.errors import Error
from asr_gru.recognizer import Recognizer
from asr_gru.results import Event
from asr_gru.server.metrics import Metrics
from asr_gru.streaming.batching import step_streams
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.stream import Stream

__all__ = ["Batcher", "Said", "Seat"]

TICK_S = 0.02
"""Ticks come no faster than this; under load they take longer and cover more audio."""
STEPS = (8, 4, 2, 1)
MOST_S = 2.0
"""Seconds of one client's audio taken in a tick, so that a hasty one delays nobody."""

log = logging.getLogger("asr_gru.server")
Block = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Said:
    """What a tick brought for one client.

    Attributes:
        events: of its stream.
        audio_s: seconds of its audio that have been heard.
        lag_s: seconds from the arrival of the oldest audio of this tick until now.
        error: why the stream went no further.
        ended: whether the stream was finished.
    """

    events: list[Event]
    audio_s: float
    lag_s: float
    error: Error | None = None
    ended: bool = False


@dataclass(eq=False, slots=True)
class Seat:
    """A client's place in the batcher; only the batcher touches its stream."""

    stream: Stream
    sample_rate: int
    tell: Callable[[Said], None]
    inbox: deque[Block | EndpointRules] = field(default_factory=deque)
    samples: int = 0
    arrived: float | None = None
    ending: bool = False
    room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def behind_s(self) -> float:
        """Seconds of audio that wait to be heard."""
        return self.samples / self.sample_rate


@dataclass(slots=True)
class _Work:
    seat: Seat
    items: list[Block | EndpointRules]
    arrived: float
    ending: bool
    events: list[Event] = field(default_factory=list)
    error: Error | None = None


class Batcher:
    """Steps the streams of all seats in one thread, tick by tick.

    Methods are for the event loop; the recogniser runs in a thread of its own.
    """

    def __init__(self, recognizer: Recognizer, metrics: Metrics, behind_s: float) -> None:
        self.recognizer = recognizer
        self._metrics = metrics
        self._behind_s = behind_s
        self._busy: dict[Seat, None] = {}
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "recognise")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tick."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Tick no more."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(cancel_futures=True)

    def seat(
        self,
        sample_rate: int,
        rules: EndpointRules,
        tell: Callable[[Said], None],
        *,
        partials: bool = True,
    ) -> Seat:
        """Open a stream; ``tell`` hears what is said in it. Raises as ``Recognizer.stream``."""
        stream = self.recognizer.stream(sample_rate, rules, quality="LQ", partials=partials)
        seat = Seat(stream, int(sample_rate), tell)
        seat.room.set()
        return seat

    def feed(self, seat: Seat, block: Block) -> None:
        """Take a block of a client's audio."""
        seat.inbox.append(block)
        seat.samples += len(block)
        if seat.behind_s > self._behind_s:
            seat.room.clear()
        self._call(seat)

    def change(self, seat: Seat, rules: EndpointRules) -> None:
        """Change the endpoint rules for what follows."""
        seat.inbox.append(rules)
        self._call(seat)

    def end(self, seat: Seat) -> None:
        """Finish the stream; ``tell`` hears the rest with ``ended`` set."""
        seat.ending = True
        self._call(seat)

    def leave(self, seat: Seat) -> None:
        """Forget a seat."""
        self._busy.pop(seat, None)
        seat.tell = _nobody

    def _call(self, seat: Seat) -> None:
        if seat.arrived is None:
            seat.arrived = time.monotonic()
        self._busy[seat] = None
        self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            began = time.monotonic()
            work = [_take(seat) for seat in self._busy]
            self._busy = {w.seat: None for w in work if w.seat.inbox or w.seat.ending}
            if self._busy:
                self._wake.set()
            try:
                await loop.run_in_executor(self._thread, self._tick, work)
            except Exception:
                log.exception("a tick failed")
                for each in work:
                    each.error = each.error or Error("internal error; see the server's log")
            now = time.monotonic()
            self._metrics.ticked(now - began, [now - w.arrived for w in work])
            for each in work:
                self._tell(each, now)
            await asyncio.sleep(max(0.0, TICK_S - (time.monotonic() - began)))

    def _tick(self, work: Sequence[_Work]) -> None:
        for each in work:
            try:
                _accept(each)
            except Error as error:
                each.error = error
        going = [each for each in work if each.error is None]
        streams = [each.seat.stream for each in going]
        for steps in STEPS:
            for each, events in zip(
                going, step_streams(self.recognizer.acoustic, streams, steps), strict=True
            ):
                each.events += events
        for each in going:
            if each.ending:
                try:
                    each.events += each.seat.stream.finish()
                except Error as error:
                    each.error = error

    def _tell(self, each: _Work, now: float) -> None:
        seat = each.seat
        if seat.behind_s <= self._behind_s:
            seat.room.set()
        stream = seat.stream
        rate = self.recognizer.acoustic.info.sample_rate
        heard_s = max(0.0, stream.audio_s - stream.waiting / rate)
        said = Said(each.events, heard_s, now - each.arrived, each.error, each.ending)
        try:
            seat.tell(said)
        except Exception:
            log.exception("a client could not be told")
            self.leave(seat)


def _take(seat: Seat) -> _Work:
    """Take what has arrived, up to ``MOST_S``; the rest waits for the next tick."""
    items: list[Block | EndpointRules] = []
    most = MOST_S * seat.sample_rate
    taken = 0
    while seat.inbox and taken < most:
        item = seat.inbox.popleft()
        if not isinstance(item, EndpointRules):
            room = math.ceil(most) - taken
            if len(item) > room:
                seat.inbox.appendleft(item[room:])
                item = item[:room]
            taken += len(item)
        items.append(item)
    seat.samples -= taken
    ending = seat.ending and not seat.inbox
    if ending:
        seat.ending = False
    arrived = seat.arrived if seat.arrived is not None else time.monotonic()
    seat.arrived = time.monotonic() if seat.inbox else None
    return _Work(seat, items, arrived, ending)


def _accept(work: _Work) -> None:
    stream = work.seat.stream
    for item in work.items:
        if isinstance(item, EndpointRules):
            stream.endpoint = item
        else:
            stream.accept(item)


def _nobody(said: Said) -> None:
    """Where the words of a client go that has left."""
