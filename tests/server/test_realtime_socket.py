"""The realtime transcription protocol, with OpenAI's official client."""

import asyncio
import base64
import json
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
import soxr

from asr_gru.streaming.endpoint import EndpointRules
from tests.server.clients import expected, speech_like
from tests.server.page_files import ROOT

RATE = 24_000
DONE = "conversation.item.input_audio_transcription.completed"


async def append(connection, samples, block=2400):
    for first in range(0, len(samples), block):
        audio = base64.b64encode(samples[first : first + block].tobytes()).decode()
        await connection.input_audio_buffer.append(audio=audio)


async def until(connection, kind, most=10_000):
    events = []
    async for event in connection:
        events.append(event)
        if event.type == kind or len(events) == most:
            return events
    return events


def session(server, conversation):
    """Run ``conversation(connection)`` in a transcription session."""

    async def main():
        async with (
            openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client,
            client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
        ):
            created = await connection.recv()
            assert created.type == "session.created"
            assert created.session.type == "transcription"
            return await asyncio.wait_for(conversation(connection), 60)

    return asyncio.run(main())


def update(connection, **audio):
    return connection.session.update(session={"type": "transcription", "audio": {"input": audio}})


def test_the_client_can_commit_turns(server, recognizer):
    samples = [speech_like(3.0), speech_like(4.0, seed=1)]

    async def conversation(connection):
        await update(connection, turn_detection=None)
        events = []
        for turn in samples:
            await append(connection, turn)
            await connection.input_audio_buffer.commit()
            events.append(await until(connection, DONE))
        return events

    turns = session(server, conversation)
    previous = None
    for turn, events in zip(samples, turns, strict=True):
        done = events[-1]
        assert done.transcript == " ".join(expected(recognizer, turn, RATE, EndpointRules.off()))
        deltas = [e.delta for e in events if e.type.endswith("transcription.delta")]
        assert "".join(deltas) == done.transcript
        committed = next(e for e in events if e.type == "input_audio_buffer.committed")
        assert committed.item_id == done.item_id
        assert committed.previous_item_id == previous
        previous = done.item_id


def test_the_server_can_detect_turns(server, recognizer):
    samples = speech_like(25.0, seed=2)
    rules = EndpointRules(trailing_s=0.4)

    async def conversation(connection):
        await update(connection, turn_detection={"type": "server_vad", "silence_duration_ms": 400})
        assert (await connection.recv()).session.audio.input.turn_detection.silence_duration_ms
        await append(connection, samples)
        await connection.input_audio_buffer.commit()
        events = []
        while len(events) < len(expected(recognizer, samples, RATE, rules)):
            events.append(await until(connection, DONE))
        return events

    turns = session(server, conversation)
    assert [events[-1].transcript for events in turns] == expected(recognizer, samples, RATE, rules)
    for events in turns:
        kinds = [event.type.rpartition(".")[2] for event in events]
        assert kinds[0] == "speech_started"
        assert kinds.index("speech_stopped") < kinds.index("committed") < kinds.index("completed")
        deltas = [e.delta for e in events if e.type.endswith("transcription.delta")]
        assert "".join(deltas) == events[-1].transcript
        assert len({e.item_id for e in events if hasattr(e, "item_id")}) == 1


def test_updates_do_not_put_off_the_end_of_the_session(server):
    async def main():
        async with server.socket("/v1/realtime?intent=transcription") as socket:
            created = json.loads(await socket.recv())
            await asyncio.sleep(1.5)
            await socket.send('{"type": "session.update", "session": {"type": "transcription"}}')
            return created, json.loads(await socket.recv())

    created, updated = asyncio.run(main())
    assert created["session"]["expires_at"] == updated["session"]["expires_at"]


def test_clear_discards_the_buffered_audio(server, recognizer):
    samples = speech_like(3.0)

    async def conversation(connection):
        await update(connection, turn_detection=None)
        await append(connection, speech_like(2.0, seed=7))
        await connection.input_audio_buffer.clear()
        await append(connection, samples)
        await connection.input_audio_buffer.commit()
        return await until(connection, DONE)

    events = session(server, conversation)
    assert "input_audio_buffer.cleared" in [event.type for event in events]
    assert events[-1].transcript == " ".join(
        expected(recognizer, samples, RATE, EndpointRules.off())
    )


def test_a_commit_of_silence_is_completed(server):
    async def conversation(connection):
        await append(connection, np.zeros(2400, "<i2"))
        await connection.input_audio_buffer.commit()
        return await until(connection, DONE)

    assert session(server, conversation)[-1].item_id


@pytest.fixture(scope="module")
def spoken(serving, bundled):
    """A server with the bundled model, and a sentence with silence after it."""
    samples, rate = soundfile.read(ROOT / "audio_samples" / "synthetic.wav", dtype="int16")
    speech = soxr.resample(samples, rate, RATE)
    with serving(recognizer=bundled, idle_s=3.0) as server:
        yield server, np.concatenate([speech, np.zeros(3 * RATE, "<i2")])


@pytest.mark.parametrize(("ending", "last"), [("options", "session.updated"), ("idle", "error")])
def test_silence_after_the_last_turn_makes_no_item(spoken, ending, last):
    server, samples = spoken

    async def conversation(connection):
        await append(connection, samples)
        events = await until(connection, DONE)
        if ending == "options":
            await update(connection, transcription={"alternatives": 2})
        return events + await until(connection, last)

    events = session(server, conversation)
    started = [event.item_id for event in events if event.type.endswith("speech_started")]
    assert [event.item_id for event in events if event.type == DONE] == started


def test_a_commit_counts_only_the_audio_since_the_last_turn(spoken):
    server, samples = spoken

    async def conversation(connection):
        await append(connection, samples)
        found = (await until(connection, DONE))[-1]
        await connection.input_audio_buffer.commit()
        return found, (await until(connection, DONE))[-1]

    found, committed = session(server, conversation)
    assert committed.transcript == ""
    assert 2.0 < committed.usage.seconds <= len(samples) / RATE - found.usage.seconds


def test_times_continue_across_a_change_of_format(server):
    async def conversation(connection):
        await append(connection, np.zeros(10 * RATE, "<i2"))
        await update(connection, format={"type": "audio/pcmu"})
        await until(connection, "session.updated")
        await append(connection, np.random.default_rng(0).integers(0, 256, 32_000).astype(np.uint8))
        await connection.input_audio_buffer.commit()
        return await until(connection, DONE)

    events = session(server, conversation)
    starts = [e.audio_start_ms for e in events if e.type.endswith("speech_started")]
    assert 10_000 <= starts[-1] < 15_000


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_telephone_formats_are_decoded(server, kind):
    async def conversation(connection):
        await update(connection, format={"type": kind}, turn_detection=None)
        random = np.random.default_rng(0)
        await append(connection, random.integers(0, 256, 24_000).astype(np.uint8))
        await connection.input_audio_buffer.commit()
        return await until(connection, DONE)

    assert session(server, conversation)[-1].usage.seconds == 3.0


MISTAKES: dict[str, dict[str, Any]] = {
    "invalid_audio": {"type": "input_audio_buffer.append", "audio": "%%%"},
    "unknown_event": {"type": "response.create", "event_id": "mine"},
    "input_audio_buffer_commit_empty": {"type": "input_audio_buffer.commit"},
    "model_not_found": {
        "type": "session.update",
        "session": {"audio": {"input": {"transcription": {"model": "large-v3"}}}},
    },
    "invalid_format": {
        "type": "session.update",
        "session": {"audio": {"input": {"format": {"type": "audio/mp3"}}}},
    },
    "invalid_session": {"type": "session.update", "session": {"audio": 3}},
}


@pytest.mark.parametrize("code", MISTAKES)
def test_an_invalid_event_gets_an_error_and_the_session_continues(server, code):

    async def conversation(connection):
        await connection.send(MISTAKES[code])
        answer = await connection.recv()
        await update(connection, turn_detection=None)
        assert (await connection.recv()).type == "session.updated"
        return answer

    answer = session(server, conversation)
    assert answer.type == "error"
    assert answer.error.code == code
    assert answer.error.event_id == MISTAKES[code].get("event_id")


@pytest.mark.parametrize(
    "message",
    [
        '{"type": "nope", unquoted',
        '{"type": "input_audio_buffer.append", "audio": 5, unquoted',
        '{"type": "nope", "deep": ' + "[" * 100_000,
        b'{"type": "nope", "text": "\xff"}',
    ],
    ids=["type", "audio", "depth", "encoding"],
)
def test_an_invalid_event_that_is_not_json_gets_an_error_and_the_session_continues(server, message):
    async def main():
        async with server.socket("/v1/realtime?intent=transcription") as socket:
            await socket.recv()
            await socket.send(message)
            answer = json.loads(await socket.recv())
            await socket.send('{"type": "input_audio_buffer.clear"}')
            return answer["error"]["code"], json.loads(await socket.recv())["type"]

    assert asyncio.run(main()) == ("invalid_json", "input_audio_buffer.cleared")


def test_other_intents_are_refused(server):
    async def main():
        async with server.socket("/v1/realtime?intent=conversation") as socket:
            return await socket.recv()

    assert "intent=transcription" in asyncio.run(main())
