"""Batched recognition of the streams of all clients: one call of the model per tick."""

from __future__ import annotations

import asyncio
import logging
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from asr_gru.decoding import AnyDecoder
from asr_gru.errors import Error
from asr_gru.language import HotWord
from asr_gru.recognizer import DecoderChoice, Recognizer
from asr_gru.results import Event
from asr_gru.server.metrics import Metrics
from asr_gru.streaming.batching import step_engines
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.stream import Stream

__all__ = ["Batcher", "HotWordChange", "ServedStream", "StreamUpdate"]

TICK_S = 0.02
"""Shortest tick; under load ticks take longer and cover more audio."""
STEPS = (8, 4, 2, 1)
RECENT_S = 1.0
"""Seconds without audio after which the last lag is outdated."""
TAKEN_S = 2.0
"""Most audio of one client in a tick, so that a client that sends faster delays no other."""

log = logging.getLogger("asr_gru.server")
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
    """A client's stream in the batcher, which alone touches ``stream``.

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


@dataclass(slots=True)
class _Work:
    served: ServedStream
    items: list[Block | Change]
    arrived: float
    ending: bool
    events: list[Event] = field(default_factory=list)
    error: Exception | None = None


class Batcher:
    """Steps all streams in one thread, tick by tick.

    Methods are for the event loop; the recogniser runs in a thread of its own. Every stream that
    was opened gets exactly one last update, however its work ends, unless it is detached first.
    """

    def __init__(self, recognizer: Recognizer, metrics: Metrics, behind_s: float) -> None:
        self.recognizer = recognizer
        self._metrics = metrics
        self._behind_s = behind_s
        self._busy: dict[ServedStream, None] = {}
        self._typical_lag_s = 0.0
        self._ticked = -math.inf
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "recognise")
        self._task: asyncio.Task[None] | None = None

    @property
    def lag_s(self) -> float:
        """The median lag of the streams in the last tick, in seconds; 0 once none is busy."""
        idle = not self._busy and time.monotonic() - self._ticked > RECENT_S
        return 0.0 if idle else self._typical_lag_s

    def start(self) -> None:
        """Start the ticks."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop after the current tick."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(cancel_futures=True)

    def open(
        self,
        sample_rate: int,
        rules: EndpointRules,
        on_update: Callable[[StreamUpdate], None],
        *,
        decoder: DecoderChoice = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        partials: bool = True,
        alternatives: int | None = None,
    ) -> ServedStream:
        """Start a stream whose updates go to ``on_update``; raises as ``Recognizer.stream``."""
        stream = self.recognizer.stream(
            sample_rate,
            rules,
            decoder=decoder,
            minimum_confidence=minimum_confidence,
            mark_uncertain=mark_uncertain,
            written=written,
            partials=partials,
            alternatives=alternatives,
        )
        served = ServedStream(stream, int(sample_rate), on_update)
        served.has_room.set()
        return served

    def feed(self, served: ServedStream, block: Block) -> None:
        """Queue a block of audio."""
        if served.closed:
            return
        served.queue.append((block, time.monotonic()))
        served.samples += len(block)
        if served.behind_s > self._behind_s:
            served.has_room.clear()
        self._schedule(served)

    def set_endpoint(self, served: ServedStream, rules: EndpointRules) -> None:
        """Change the endpoint rules for the audio that follows."""
        if not served.closed:
            served.queue.append((rules, time.monotonic()))
            self._schedule(served)

    def set_hot_words(self, served: ServedStream, change: HotWordChange) -> None:
        """Change the hot words for the audio that follows."""
        if not served.closed:
            served.queue.append((change, time.monotonic()))
            self._schedule(served)

    def end(self, served: ServedStream) -> None:
        """Finish the stream once its queue is empty."""
        if not served.closed:
            served.ending = True
            self._schedule(served)

    def detach(self, served: ServedStream) -> None:
        """Drop a stream whose client has left; ``on_update`` is called no more."""
        served.closed = True
        served.queue.clear()
        served.samples = 0
        served.has_room.set()
        self._busy.pop(served, None)

    def _schedule(self, served: ServedStream) -> None:
        self._busy[served] = None
        self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            began = time.monotonic()
            work = [_take(served) for served in self._busy]
            self._busy = {w.served: None for w in work if w.served.queue or w.served.ending}
            if self._busy:
                self._wake.set()
            try:
                await loop.run_in_executor(self._thread, self._tick, work)
            except Exception as error:
                log.exception("a tick failed")
                for each in work:
                    each.error = each.error or error
            now = time.monotonic()
            lags_s = [now - w.arrived for w in work]
            self._ticked, self._typical_lag_s = now, statistics.median(lags_s) if lags_s else 0.0
            self._metrics.ticked(now - began, lags_s)
            for each in work:
                self._report(each, now)
            await asyncio.sleep(max(0.0, TICK_S - (time.monotonic() - began)))

    def _tick(self, work: Sequence[_Work]) -> None:
        for each in work:
            _guarded(_accept, each)
        going = [each for each in work if each.error is None]
        engines = [each.served.stream.engine for each in going]
        stepped = step_engines(self.recognizer.acoustic, engines, STEPS)
        for each, events in zip(going, stepped, strict=True):
            each.events += events
        for each in going:
            if each.ending:
                _guarded(_finish, each)

    def _report(self, each: _Work, now: float) -> None:
        served, stream = each.served, each.served.stream
        if served.closed:  # detached while the tick ran
            return
        if served.behind_s <= self._behind_s:
            served.has_room.set()
        rate = self.recognizer.acoustic.info.sample_rate
        recognised_s = max(0.0, stream.audio_s - stream.engine.buffered / rate)
        ended = each.ending and each.error is None
        update = StreamUpdate(each.events, recognised_s, now - each.arrived, each.error, ended)
        if update.ended or update.error is not None:
            self.detach(served)
        try:
            served.on_update(update)
        except Exception:
            log.exception("an update found no taker")
            self.detach(served)


def _take(served: ServedStream) -> _Work:
    """Take up to ``TAKEN_S`` of the queue; the rest is left to the next tick."""
    items: list[Block | Change] = []
    most = TAKEN_S * served.sample_rate
    taken = 0
    first = served.queue[0][1] if served.queue else time.monotonic()
    while served.queue and taken < most:
        item, arrived = served.queue.popleft()
        if isinstance(item, np.ndarray):
            room = math.ceil(most) - taken
            if len(item) > room:
                served.queue.appendleft((item[room:], arrived))
                item = item[:room]
            taken += len(item)
        items.append(item)
    served.samples -= taken
    ending = served.ending and not served.queue
    if ending:
        served.ending = False
    return _Work(served, items, first, ending)


def _guarded(act: Callable[[_Work], None], work: _Work) -> None:
    """Run the work of one stream, so that its error does not affect other streams."""
    try:
        act(work)
    except Error as error:
        work.error = error
    except Exception as error:
        log.exception("a stream failed")
        work.error = error


def _accept(work: _Work) -> None:
    stream = work.served.stream
    for item in work.items:
        if isinstance(item, EndpointRules):
            stream.endpoint = item
        elif isinstance(item, HotWordChange):
            stream.use(item.decoder, item.listed)
        else:
            stream.engine.accept(item)


def _finish(work: _Work) -> None:
    work.events += work.served.stream.engine.finish()
