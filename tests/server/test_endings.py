"""Sessions whose work fails, in both protocols: error sent, closed, slot freed."""

import asyncio
import base64
import json

import numpy as np
import pytest
import websockets

from asr_gru.errors import AudioError
from asr_gru.server.realtime_socket import RealtimeConnection
from asr_gru.server.stream_socket import StreamConnection
from tests.server.clients import expected, finals, receive_all, run_session, speech_like
from tests.server.faults import FaultyRecognizer

RATE = 24_000
PATHS = {"stream": "/v1/stream", "realtime": "/v1/realtime?intent=transcription"}
CLASSES = {"stream": StreamConnection, "realtime": RealtimeConnection}
CAUSES = {
    "audio that cannot be": ("accept", AudioError, "bad_audio"),
    "a bug with audio": ("accept", ValueError, "internal"),
    "a failing model": ("step", ValueError, "internal"),
    "an end that cannot be": ("finish", AudioError, "bad_audio"),
    "a bug at the end": ("finish", ValueError, "internal"),
    "a bug in sending": ("send", RuntimeError, "internal"),
}
MOMENTS = {
    "open": {"idle_s": 2.0},
    "far behind": {"idle_s": 2.0, "behind_s": 0.2},
    "over its time": {"session_s": 1.0},
    "ending": {},
    "ending, then gone": {},
    "gone": {},
    "closed": {},
    "at a shutdown": {"slow_reader_s": 1000.0},
}
ENDS_ANYWAY = {
    "open": "idle",
    "far behind": "idle",
    "over its time": "session_too_long",
    "at a shutdown": "shutting_down",
}


class Client:
    """A client of either protocol."""

    def __init__(self, socket, protocol):
        self.socket = socket
        self.protocol = protocol

    async def start(self):
        if self.protocol == "stream":
            await self.socket.send(json.dumps({"type": "start", "sample_rate": RATE}))
        answer = json.loads(await self.socket.recv())
        assert answer["type"] in ("ready", "session.created")

    async def send(self, samples):
        data = samples.tobytes()
        if self.protocol == "realtime":
            audio = base64.b64encode(data).decode()
            data = json.dumps({"type": "input_audio_buffer.append", "audio": audio})
        await self.socket.send(data)

    async def end(self):
        kind = "end" if self.protocol == "stream" else "input_audio_buffer.commit"
        await self.socket.send(json.dumps({"type": kind}))


async def misbehave(server, protocol, moment):
    """Return the error code and the close code that the client receives, if it stays."""
    async with server.socket(PATHS[protocol]) as socket:
        client = Client(socket, protocol)
        await client.start()
        await client.send(speech_like(1.0))
        if moment == "far behind":
            for _ in range(5):
                await client.send(speech_like(1.0))
        if moment.startswith("ending"):
            await client.end()
        if moment == "at a shutdown":
            server.stop()
        if moment == "closed":
            await socket.close()
        if moment.endswith("gone"):
            socket.transport.abort()
        messages = await receive_all(socket)
        error = next((m for m in messages if m["type"] == "error"), {})
        return error.get("error", error).get("code"), socket.close_code


async def until_served(server, samples):
    """Run a session as soon as a slot is free."""
    while True:
        try:
            messages, _ = await run_session(server, samples)
        except (AssertionError, websockets.ConnectionClosed):
            await asyncio.sleep(0.05)
        else:
            return messages


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("protocol", PATHS)
def test_a_failed_session_is_closed_and_frees_its_slot(
    serving, recognizer, monkeypatch, protocol, cause, moment
):
    """The server has one slot, which the next client needs."""
    method, error, code = CAUSES[cause]
    if method == "send":

        def fail(connection, update):
            raise error("a bug")

        monkeypatch.setattr(CLASSES[protocol], "send_update", fail)
    faulty = FaultyRecognizer(recognizer, method, error)
    samples = speech_like(2.0)

    async def main(server):
        ending = await asyncio.wait_for(misbehave(server, protocol, moment), 20)
        if moment != "at a shutdown":
            monkeypatch.undo()
            messages = await asyncio.wait_for(until_served(server, samples), 20)
            assert [m["text"] for m in finals(messages)] == expected(recognizer, samples)
        return ending

    with serving(recognizer=faulty, clients=1, **MOMENTS[moment]) as server:
        error_code, close_code = asyncio.run(main(server))
    if moment in ("gone", "closed", "ending, then gone"):
        return
    allowed = {code} if method != "finish" or moment == "ending" else {ENDS_ANYWAY[moment]}
    if moment == "at a shutdown":
        allowed |= {"shutting_down"}
    assert error_code in allowed
    assert close_code == {"shutting_down": 1012, "internal": 1011}.get(error_code, 1008)


@pytest.mark.parametrize("block", [8, 1600])
def test_nan_samples_followed_by_an_immediate_end_are_refused(serving, block):
    """A stream that fails while its client is waiting for the end."""

    async def main(server):
        async with server.socket() as socket:
            start = {"type": "start", "sample_rate": 16_000, "encoding": "float32"}
            await socket.send(json.dumps(start))
            await socket.send(np.full(block, np.nan, "<f4").tobytes())
            await socket.send('{"type": "end"}')
            return await asyncio.wait_for(receive_all(socket), 20), socket.close_code

    with serving(clients=1) as server:
        for _ in range(5):
            messages, close_code = asyncio.run(main(server))
            assert [m["type"] for m in messages if m["type"] != "status"] == ["ready", "error"]
            assert messages[-1]["code"] == "bad_audio"
            assert close_code == 1008


def test_a_failing_stream_does_not_affect_others(serving, recognizer):
    faulty = FaultyRecognizer(recognizer, "accept", ValueError)
    samples = speech_like(3.0)

    async def main(server):
        return await asyncio.gather(
            *(run_session(server, samples) for _ in range(3)),
            *(misbehave(server, protocol, "open") for protocol in PATHS),
        )

    with serving(recognizer=faulty) as server:
        results = asyncio.run(main(server))
    for messages, _ in results[:3]:
        assert [m["text"] for m in finals(messages)] == expected(recognizer, samples)
    assert [code for code, _ in results[3:]] == ["internal", "internal"]


@pytest.mark.parametrize("limit", ["idle_s", "session_s"])
def test_a_session_over_its_time_limit_gets_its_last_final(serving, recognizer, limit):
    samples = speech_like(3.0)

    async def main(server):
        async with server.socket() as socket:
            start = {"type": "start", "sample_rate": 16_000, "endpoint": "off"}
            await socket.send(json.dumps(start))
            await socket.send(samples.tobytes())
            return await receive_all(socket)

    with serving(**{limit: 2.0}) as server:
        messages = asyncio.run(main(server))
    assert messages[-1]["type"] == "error"
    assert [m["type"] for m in messages].count("final") == 1


def test_a_shutdown_completes_the_turn_of_a_realtime_client(serving):

    async def main(server):
        async with server.socket(PATHS["realtime"]) as socket:
            client = Client(socket, "realtime")
            await client.start()
            audio = {"input": {"turn_detection": None}}
            session = {"type": "transcription", "audio": audio}
            await socket.send(json.dumps({"type": "session.update", "session": session}))
            await receive_all(socket, until=("session.updated",))
            await client.send(speech_like(3.0))
            await asyncio.sleep(0.5)
            server.stop()
            return await receive_all(socket)

    with serving() as server:
        kinds = [message["type"] for message in asyncio.run(main(server))]
    assert kinds[-1] == "error"
    assert "conversation.item.input_audio_transcription.completed" in kinds
