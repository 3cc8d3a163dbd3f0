"""Threads that step the streams of all clients."""

import asyncio
import threading

import numpy as np
import pytest

from asr_gru.server.batcher import Batcher
from asr_gru.server.metrics import Metrics
from tests.server.clients import RATE, speech_like

BLOCK = RATE // 10


def clips(count: int) -> list[np.ndarray]:
    whole = speech_like(20.0)
    return [np.roll(whole, 7001 * number)[: (2 + number % 3) * RATE] for number in range(count)]


def finals(events):
    return [event for event in events if event.kind == "final"]


async def serve(batcher: Batcher, samples: list[np.ndarray]) -> list[list]:
    """Feed all streams block by block, and return the events of each."""
    events: list[list] = [[] for _ in samples]
    ends = [asyncio.Event() for _ in samples]

    def on_update(number):
        def collect(update):
            assert update.error is None
            events[number] += update.events
            if update.ended:
                ends[number].set()

        return collect

    batcher.start()
    recognizer = batcher.recognizer
    streams = [batcher.open(recognizer.stream(RATE), on_update(n)) for n in range(len(samples))]
    for first in range(0, max(map(len, samples)), BLOCK):
        for stream, clip in zip(streams, samples, strict=True):
            if first < len(clip):
                batcher.feed(stream, clip[first : first + BLOCK])
            elif not (stream.ending or stream.closed):
                batcher.end(stream)
        await asyncio.sleep(0.005)
    for stream in streams:
        batcher.end(stream)
    await asyncio.gather(*(end.wait() for end in ends))
    await batcher.stop()
    return events


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_streams_get_the_finals_of_a_stream_by_itself(recognizer, threads):
    samples = clips(12)
    alone = []
    for clip in samples:
        stream = recognizer.stream(RATE)
        alone.append(finals([*stream.feed(clip), *stream.finish()]))
    batcher = Batcher(recognizer, Metrics(), behind_s=100.0, threads=threads)
    served = asyncio.run(serve(batcher, samples))
    assert list(map(finals, served)) == alone


def test_two_ticks_run_at_once_and_share_no_stream(recognizer, monkeypatch):
    stepping, lock, tick, ticks = set(), threading.Lock(), Batcher._tick, []
    meeting = threading.Barrier(2)

    def watched(self, work):
        mine = {id(each.served) for each in work}
        with lock:
            assert len(mine) == len(work)
            assert not mine & stepping
            stepping.update(mine)
            ticks.append(len(work))
            early = len(ticks) <= 2
        if early:
            meeting.wait(timeout=30)  # broken, and an error of the streams, if ticks never overlap
        tick(self, work)
        with lock:
            stepping.difference_update(mine)

    monkeypatch.setattr(Batcher, "_tick", watched)
    asyncio.run(serve(Batcher(recognizer, Metrics(), behind_s=100.0, threads=2), clips(12)))
    assert len(ticks) > 2


def test_a_thread_takes_its_share_of_the_streams_that_waited_longest(recognizer):
    batcher = Batcher(recognizer, Metrics(), behind_s=100.0, threads=2)
    streams = [batcher.open(recognizer.stream(RATE), lambda update: None) for _ in range(5)]
    for stream in streams:
        batcher.feed(stream, np.zeros(3 * RATE, np.int16))
    first, second = batcher._take(), batcher._take()
    assert [work.served for work in first] == streams[:3]
    assert [work.served for work in second] == streams[3:]
    assert batcher._take() == []  # a second of each is left, but both are being stepped
    batcher._stepping.difference_update(streams[:3])
    assert [work.served for work in batcher._take()] == streams[:3]
