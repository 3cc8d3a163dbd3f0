"""Batched recognition of the streams of all clients: one call of the model per tick."""

from __future__ import annotations

import asyncio
import logging
import math
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

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
            await self._wake.wait()
            self._wake.clear()
            began = time.monotonic()
            work = [served.take() for served in self._busy]
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
