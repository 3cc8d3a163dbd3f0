"""Batched recognition of the streams of all clients: few calls of the model, each for many."""

from __future__ import annotations

import asyncio
import logging
import math
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from asr_gru.backends import check_threads
from asr_gru.errors import Error
from asr_gru.recognizer import Recognizer
from asr_gru.server.metrics import Metrics
from asr_gru.server.served_stream import (
    Block,
    Change,
    HotWordChange,
    ServedStream,
    StreamUpdate,
    StreamWork,
)
from asr_gru.streaming.batching import step_engines
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.stream import Stream

__all__ = ["Batcher"]

TICK_S = 0.02
"""Shortest tick; under load ticks take longer and cover more audio."""
STEPS = (8, 4, 2, 1)
RECENT_S = 1.0
"""Seconds without audio after which the last lag is outdated."""

log = logging.getLogger("asr_gru.server")


class Batcher:
    """Steps all streams in a few threads, tick by tick.

    A tick takes the streams with new audio that no other thread is stepping, up to its share of
    them, so that one thread can be in the network while another searches. Methods are for the event
    loop. Every stream that was opened gets exactly one last update, however its work ends, unless
    it is detached first.
    """

    def __init__(
        self, recognizer: Recognizer, metrics: Metrics, behind_s: float, threads: int = 1
    ) -> None:
        self.recognizer = recognizer
        self._metrics = metrics
        self._behind_s = behind_s
        self._threads = check_threads(threads)
        self._busy: dict[ServedStream, None] = {}
        self._stepping: set[ServedStream] = set()
        self._typical_lag_s = 0.0
        self._ticked = -math.inf
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(threads, "recognise")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def lag_s(self) -> float:
        """The median lag of the streams in the last tick, in seconds; 0 once none is busy."""
        idle = not (self._busy or self._stepping) and time.monotonic() - self._ticked > RECENT_S
        return 0.0 if idle else self._typical_lag_s

    def start(self) -> None:
        """Start the ticks."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()) for _ in range(self._threads)]

    async def stop(self) -> None:
        """Stop after the current ticks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(cancel_futures=True)

    def open(self, stream: Stream, on_update: Callable[[StreamUpdate], None]) -> ServedStream:
        """Serve a new stream; its updates go to ``on_update``."""
        served = ServedStream(stream, stream.engine.sample_rate, on_update)
        served.has_room.set()
        return served

    def feed(self, served: ServedStream, block: Block) -> None:
        """Queue a block of audio."""
        self._put(served, block)
        if not served.closed and served.behind_s > self._behind_s:
            served.has_room.clear()

    def set_endpoint(self, served: ServedStream, rules: EndpointRules) -> None:
        """Change the endpoint rules for the audio that follows."""
        self._put(served, rules)

    def set_hot_words(self, served: ServedStream, change: HotWordChange) -> None:
        """Change the hot words for the audio that follows."""
        self._put(served, change)

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

    def _put(self, served: ServedStream, item: Block | Change) -> None:
        if not served.closed:
            served.put(item)
            self._schedule(served)

    def _schedule(self, served: ServedStream) -> None:
        self._busy[served] = None
        self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not (work := self._take()):
                self._wake.clear()
                await self._wake.wait()
            began = time.monotonic()
            try:
                await loop.run_in_executor(self._pool, self._tick, work)
            except Exception as error:
                log.exception("a tick failed")
                for each in work:
                    each.error = each.error or error
            now = time.monotonic()
            lags_s = [now - w.arrived for w in work]
            self._ticked, self._typical_lag_s = now, statistics.median(lags_s)
            self._metrics.ticked(now - began, lags_s)
            self._stepping.difference_update(each.served for each in work)
            for each in work:
                self._report(each, now)
            self._wake.set()  # there may be more audio of these streams
            await asyncio.sleep(max(0.0, TICK_S - (time.monotonic() - began)))

    def _take(self) -> list[StreamWork]:
        """Take the work of the streams that have waited longest, up to one thread's share."""
        waiting = [served for served in self._busy if served not in self._stepping]
        share = math.ceil((len(waiting) + len(self._stepping)) / self._threads)
        work = [served.take() for served in waiting[:share]]
        for served in waiting[:share]:
            self._stepping.add(served)
            del self._busy[served]
            if served.queue or served.ending:
                self._busy[served] = None
        return work

    def _tick(self, work: Sequence[StreamWork]) -> None:
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

    def _report(self, each: StreamWork, now: float) -> None:
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
            log.exception("an update could not be delivered")
            self.detach(served)


def _guarded(act: Callable[[StreamWork], None], work: StreamWork) -> None:
    """Run the work of one stream, so that its error does not affect other streams."""
    try:
        act(work)
    except Error as error:
        work.error = error
    except Exception as error:
        log.exception("a stream failed")
        work.error = error


def _accept(work: StreamWork) -> None:
    stream = work.served.stream
    for item in work.items:
        if isinstance(item, EndpointRules):
            stream.endpoint = item
        elif isinstance(item, HotWordChange):
            stream.use(item.decoder, item.listed)
        else:
            stream.engine.accept(item)


def _finish(work: StreamWork) -> None:
    work.events += work.served.stream.engine.finish()
