"""Clients of the server: synthetic audio, sessions and expected texts."""

import asyncio
import json

import numpy as np
import websockets

RATE = 16_000


def speech_like(seconds, seed=0):
    """Noise in which the tiny model finds words, as int16."""
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.uniform(0.0, 0.3, int(seconds * 4) + 1), RATE // 4)
    samples = random.standard_normal(int(seconds * RATE)) * loudness[: int(seconds * RATE)]
    return (np.clip(samples, -1, 1) * 32767).astype("<i2")


async def receive_all(socket, until=()):
    """Return the messages up to one of the types ``until``, or up to the end."""
    messages = []
    try:
        async for text in socket:
            messages.append(json.loads(text))
            if messages[-1]["type"] in until:
                break
    except websockets.ConnectionClosed:
        pass
    return messages


async def start_session(socket, **start):
    await socket.send(json.dumps({"type": "start", "sample_rate": RATE, **start}))
    return json.loads(await socket.recv())


async def send_audio(socket, samples, block=1600):
    for first in range(0, len(samples), block):
        await socket.send(samples[first : first + block].tobytes())
    await socket.send('{"type": "end"}')


async def exchange(socket, samples, block=1600):
    """Send audio to its end, and return all messages that come meanwhile and after it."""
    _, messages = await asyncio.gather(send_audio(socket, samples, block), receive_all(socket))
    return messages


def finals(messages):
    return [m for m in messages if m["type"] == "final"]


def expected(recognizer, samples, rate=RATE, rules=None):
    """Return the texts of the segments of a recording of ``samples``."""
    transcript = recognizer.transcribe(samples, rate, endpoint=rules)
    return [segment.text for segment in transcript.segments]


async def run_session(server, samples, block=1600, **start):
    async with server.socket() as socket:
        ready = await start_session(socket, **start)
        assert ready["type"] == "ready"
        return await exchange(socket, samples, block), socket


def answer_to_start(server, **start):
    """Return the first message from the server."""

    async def answer():
        async with server.socket() as socket:
            return await start_session(socket, **start)

    return asyncio.run(answer())
