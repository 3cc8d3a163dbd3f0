"""Audio that arrives faster than it is processed, and clients that read slowly."""

import asyncio
import json
import time

import numpy as np

from asr_gru.server.batcher import RECENT_S, Batcher
from asr_gru.server.metrics import Metrics
from asr_gru.server.outbox import Outbox
from tests.server.clients import RATE, receive_all, speech_like, start_session


def test_a_long_message_is_processed_over_many_ticks(recognizer):
    batcher = Batcher(recognizer, Metrics(), behind_s=5.0)
    served = batcher.open(recognizer.stream(RATE), lambda update: None)
    batcher.feed(served, np.zeros(60 * RATE, np.int16))
    for _ in range(30):
        taken = served.take().items
        assert sum(map(np.size, taken)) == 2 * RATE
    assert not served.queue


def test_lag_is_measured_from_the_oldest_audio(recognizer):
    """Including audio that is left for the next tick, or that no tick has taken yet."""
    batcher = Batcher(recognizer, Metrics(), behind_s=5.0)
    served = batcher.open(recognizer.stream(RATE), lambda update: None)
    assert served.waiting_s == 0.0
    before = time.monotonic()
    batcher.feed(served, np.zeros(5 * RATE, np.int16))
    after = time.monotonic()
    time.sleep(0.05)
    batcher.feed(served, np.zeros(RATE, np.int16))
    for _ in range(3):
        assert served.waiting_s >= 0.05
        assert before <= served.take().arrived <= after
    assert served.waiting_s == 0.0
    assert served.take().arrived > after + 0.05


def test_an_overloaded_server_refuses_new_sessions_until_it_has_caught_up(serving):
    async def main(server):
        async with server.socket() as first, server.socket() as second, server.socket() as third:
            await start_session(first)
            await first.send(speech_like(8.0).tobytes())
            await until_it_lags(server)
            await second.send(json.dumps({"type": "start", "sample_rate": RATE}))
            refused = await receive_all(second)
            await first.send('{"type": "end"}')
            served = await receive_all(first)
            await asyncio.sleep(RECENT_S + 0.1)
            return refused, second.close_code, served, await start_session(third)

    async def until_it_lags(server):
        while server.context.batcher.lag_s == 0.0:
            await asyncio.sleep(0.001)

    with serving(lag_s=1e-3) as server:
        refused, code, served, ready = asyncio.run(main(server))
    assert refused[-1]["code"] == "overloaded"
    assert "s behind" in refused[-1]["message"]
    assert code == 1013
    assert served[-1]["type"] == "end"
    assert ready["type"] == "ready"


def test_changes_without_audio_do_not_accumulate(server):
    async def main():
        async with server.socket() as socket:
            await start_session(socket)
            for _ in range(2000):
                await socket.send('{"type": "endpoint", "mode": 0.5}')
            await socket.send(speech_like(1.0).tobytes())
            await socket.send('{"type": "end"}')
            return await receive_all(socket)

    assert asyncio.run(main())[-1]["type"] == "end"


def test_an_outbox_reports_the_age_of_its_oldest_message():
    async def main():
        reading = asyncio.Event()

        async def send(text):
            sent.append(text)
            await reading.wait()

        sent = []
        outbox = Outbox(send)
        running = asyncio.create_task(outbox.run())
        outbox.put("final 0")
        await asyncio.sleep(0.05)
        for number in range(5):
            outbox.put(f"partial {number}", replaces="1")
            outbox.put(f"status {number}", replaces="status")
        assert outbox.stuck_s(time.monotonic() + 3.0) > 3.0
        reading.set()
        outbox.close()
        await running
        assert sent == ["final 0", "partial 4", "status 4"]
        assert outbox.stuck_s(time.monotonic()) == 0.0

    asyncio.run(main())
