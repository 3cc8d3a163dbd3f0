"""Limits for clients, none of which can affect the others."""

import asyncio
import http.client
import io
import json
import time

import numpy as np
import openai
import pytest
import soundfile

from asr_gru.server.batcher import RECENT_S, Batcher
from asr_gru.server.metrics import Metrics
from asr_gru.server.outbox import Outbox
from asr_gru.streaming.endpoint import EndpointRules
from tests.server.clients import (
    RATE,
    expected,
    finals,
    receive_all,
    run_session,
    send_audio,
    speech_like,
    start_session,
)


def test_a_lost_client_frees_its_slot(serving):
    async def main(server):
        for _ in range(3):
            socket = await server.socket()
            assert (await start_session(socket))["type"] == "ready"
            await socket.send(speech_like(1.0).tobytes())
            socket.transport.abort()
            await asyncio.sleep(0.3)

    with serving(clients=1) as server:
        asyncio.run(main(server))


def test_clients_beyond_the_limit_are_refused(serving):
    async def main(server):
        async with server.socket() as first, server.socket() as second:
            assert (await start_session(first))["type"] == "ready"
            await second.send(json.dumps({"type": "start", "sample_rate": RATE}))
            refused = await receive_all(second)
            _, served = await asyncio.gather(
                send_audio(first, speech_like(2.0)), receive_all(first)
            )
            return refused, second.close_code, served

    with serving(clients=1) as server:
        refused, code, served = asyncio.run(main(server))
    assert refused[-1]["code"] == "too_many_clients"
    assert code == 1013
    assert served[-1]["type"] == "end"


def test_an_idle_client_is_refused(serving):
    async def main(server):
        async with server.socket() as silent, server.socket() as stalled:
            assert (await start_session(stalled))["type"] == "ready"
            await stalled.send(speech_like(1.0).tobytes())
            return await receive_all(silent), await receive_all(stalled)

    with serving(idle_s=0.5) as server:
        for messages in asyncio.run(main(server)):
            assert messages[-1]["code"] == "idle"


def test_a_session_over_its_time_limit_is_finished(serving):
    async def main(server):
        async with server.socket() as socket:
            await start_session(socket)
            sending = asyncio.create_task(send_slowly(socket))
            messages = await receive_all(socket)
            sending.cancel()
            return messages

    async def send_slowly(socket):
        while True:
            await socket.send(speech_like(0.1).tobytes())
            await asyncio.sleep(0.05)

    with serving(session_s=1.0) as server:
        assert asyncio.run(main(server))[-1]["code"] == "session_too_long"


def test_an_oversized_message_is_refused(serving):
    async def main(server):
        async with server.socket() as socket:
            await start_session(socket)
            await socket.send(bytes(20_000))
            return await receive_all(socket), socket.close_code

    with serving(message_bytes=10_000) as server:
        assert asyncio.run(main(server)) == ([], 1009)


def test_a_client_that_never_reads_does_not_affect_others(serving, recognizer):
    samples = speech_like(4.0)

    async def never_read(server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(
            b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        frame = b'{"type":"start","sample_rate":16000,"endpoint":"off"}'
        writer.write(bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame)
        block = speech_like(1.0, seed=3).tobytes()
        head = bytes([0x82, 0xFE]) + len(block).to_bytes(2, "big") + bytes(4)
        while not writer.transport.is_closing():
            writer.write(head + block)
            try:
                await asyncio.wait_for(writer.drain(), 0.2)
            except TimeoutError:
                continue
            except OSError:
                break
            await asyncio.sleep(0)
        writer.transport.abort()

    async def main(server):
        task = asyncio.create_task(never_read(server))
        for _ in range(3):
            messages, _ = await run_session(server, samples)
            assert [m["text"] for m in finals(messages)] == expected(recognizer, samples)
        await asyncio.wait_for(task, 60)

    with serving(slow_reader_s=1.0, session_s=20.0) as server:
        asyncio.run(main(server))


def test_a_shutdown_finishes_the_open_segment(serving, recognizer):
    samples = speech_like(3.0)

    async def main(server):
        async with server.socket() as socket:
            await start_session(socket, endpoint="off")
            await socket.send(samples.tobytes())
            await receive_all(socket, until=("partial",))
            await asyncio.sleep(0.5)
            server.stop()
            return await receive_all(socket), socket

    with serving() as server:
        messages, socket = asyncio.run(main(server))
    assert [m["text"] for m in finals(messages)] == expected(
        recognizer, samples, rules=EndpointRules.off()
    )
    assert messages[-1]["code"] == "shutting_down"
    assert socket.close_code == 1012


def test_all_clients_get_their_finals_at_a_shutdown(serving, recognizer):
    """Audio that arrives while streams are finished affects no client."""
    samples = speech_like(3.0)

    async def one(server, stopped):
        async with server.socket() as socket:
            await start_session(socket, endpoint="off")
            await socket.send(samples.tobytes())

            async def send_slowly():
                while True:
                    await socket.send(bytes(640))
                    await asyncio.sleep(0.01)

            dripping = asyncio.create_task(send_slowly())
            stopped.append(socket)
            if len(stopped) == 8:
                await asyncio.sleep(0.5)
                server.stop()
            messages = await receive_all(socket)
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
            return messages

    async def main(server):
        stopped = []
        return await asyncio.gather(*(one(server, stopped) for _ in range(8)))

    with serving() as server:
        for messages in asyncio.run(main(server)):
            assert messages[-1]["code"] == "shutting_down"
            assert " ".join(m["text"] for m in finals(messages))


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


@pytest.mark.parametrize("stream", ["true", "false"])
def test_an_upload_whose_client_has_left_frees_its_slot(serving, stream):
    data = io.BytesIO()
    soundfile.write(data, speech_like(900.0), RATE, format="FLAC")
    fields = {"model": "tiny", "stream": stream}
    body = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    body += b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.flac"\r\n\r\n'
    body += data.getvalue() + b"\r\n--x--\r\n"
    with serving(uploads=1, queued_uploads=0) as server:
        gone = http.client.HTTPConnection("127.0.0.1", server.port)
        gone.request(
            "POST",
            "/v1/audio/transcriptions",
            body,
            {"Content-Type": "multipart/form-data; boundary=x"},
        )
        time.sleep(0.3)
        gone.close()
        short = io.BytesIO()
        soundfile.write(short, speech_like(2.0), RATE, format="FLAC")
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client:
            for _ in range(100):
                try:
                    client.audio.transcriptions.create(
                        model="tiny", file=("b.flac", short.getvalue())
                    )
                    break
                except openai.InternalServerError as error:
                    if error.code != "too_many_uploads":
                        raise
                    time.sleep(0.1)
            else:
                pytest.fail("the place was never freed")
