"""Limits for clients, none of which can affect the others."""

import asyncio
import http.client
import io
import json
import socket
import time

import openai
import pytest
import soundfile

from asr_gru.server.limits import Limits
from asr_gru.server.run import listen
from tests.server.clients import (
    RATE,
    exchange,
    expected,
    finals,
    receive_all,
    run_session,
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
            return refused, second.close_code, await exchange(first, speech_like(2.0))

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


def test_systems_without_a_timeout_of_their_own_can_serve(monkeypatch):
    """macOS and Windows have no TCP_USER_TIMEOUT."""
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)
    for listener in listen("127.0.0.1", 0, Limits()):
        assert listener.getsockname()[1]
        listener.close()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: local"])
def test_a_connection_without_a_request_is_closed(serving, sent):
    with serving(idle_s=0.5) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as silent:
            silent.sendall(sent)
            assert silent.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as second:
            second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert second.recv(12) == b"HTTP/1.1 200"
            while second.recv(1 << 16):
                second.sendall(b"GET /")


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


async def unread_socket(server, path):
    """Open a WebSocket of which nothing is read after its beginning; return its writer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    return writer


def test_a_client_that_never_reads_does_not_affect_others(serving, recognizer):
    samples = speech_like(4.0)

    async def never_read(server):
        writer = await unread_socket(server, "/v1/stream")
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


def test_answers_that_are_not_read_do_not_pile_up(serving):
    """A short request may have a long answer, so a client that reads none must not go on asking."""
    event = b'{"type": "' + b"x" * 900_000 + b'"}'  # the error repeats it
    frame = bytes([0x81, 0xFF]) + len(event).to_bytes(8, "big") + bytes(4) + event

    async def ask(server):
        writer = await unread_socket(server, "/v1/realtime?intent=transcription")
        try:
            for number in range(60):
                writer.write(frame)
                try:
                    await asyncio.wait_for(writer.drain(), 5)
                except TimeoutError:
                    return number
            return 60
        finally:
            writer.transport.abort()

    with serving(slow_reader_s=60.0) as server:
        assert asyncio.run(ask(server)) < 60


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
