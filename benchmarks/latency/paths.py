"""The ways from a recording to the listener: stream, session, WebSocket."""

from __future__ import annotations

import json
import math
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asr_gru import EndpointRules, Error, Event, Recognizer
from asr_gru.audio import Resampler
from asr_gru.audio.paced import PacedRecording
from asr_gru.live import LiveSession
from benchmarks._processes import serving
from benchmarks.latency.words import Seen, seen_event, seen_message
from recipes.command_line import needed

__all__ = ["Played", "fed_s", "through_session", "through_stream", "through_websocket"]

BLOCK_S = 0.02


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a recording.

    Attributes:
        seen: its events, in seconds of the recording.
        rate: at which the recogniser's stream was fed.
        offset_s: where in the recogniser's audio the recording begins.
        block_s: blocks in which it came, 0 when they differ.
        note: what else is to be known.
        arrivals: of blocks that differ, their ends and when they came, in the recogniser's audio.
    """

    seen: list[Seen]
    rate: int
    offset_s: float = 0.0
    block_s: float = 0.0
    note: str = ""
    arrivals: tuple[tuple[float, float], ...] = ()


class Beginning:
    """A clock that remembers when it was first asked."""

    def __init__(self) -> None:
        self.began_s = 0.0

    def __call__(self) -> float:
        now_s = time.monotonic()
        self.began_s = self.began_s or now_s
        return now_s


def through_stream(recognizer: Recognizer, path: Path, rules: EndpointRules) -> Played:
    """Feed a stream with what is due, a step at a time."""
    clock = Beginning()
    with closing(PacedRecording(path, clock=clock)) as source:
        rate = source.sample_rate
        stream = recognizer.stream(rate, rules)
        info = recognizer.acoustic.info
        seen = []
        while True:
            missing = info.step_samples - stream.engine.buffered
            try:
                block = source.read(1.0, math.ceil(missing * rate / info.sample_rate))
            except EOFError:
                break
            events = stream.feed(block.samples) if block is not None else []
            at_s = time.monotonic() - clock.began_s
            seen += [seen_event(event, at_s) for event in events]
        events = stream.finish()
        at_s = time.monotonic() - clock.began_s
        seen += [seen_event(event, at_s) for event in events]
    return Played(seen, rate, block_s=PacedRecording.BLOCK_S)


def through_session(recognizer: Recognizer, path: Path, rules: EndpointRules) -> Played:
    """Run what ``asr-gru live --from-file`` runs."""
    clock = Beginning()
    source = PacedRecording(path, clock=clock)
    rate = source.sample_rate
    with LiveSession(recognizer, source, rules) as session:
        seen = [
            seen_event(record, time.monotonic() - clock.began_s)
            for record in session
            if isinstance(record, Event)
        ]
    return Played(seen, rate, block_s=PacedRecording.BLOCK_S)


def through_websocket(model: str, core: int | None, path: Path, endpoint: str) -> Played:
    """Send blocks of 20 ms to a server when they are due, and read what it says.

    Raises:
        Error: the server did not start, or ended the stream early.
    """
    with needed(__name__, "server"):
        from websockets.exceptions import ConnectionClosed
        from websockets.sync.client import connect

    samples, rate = soundfile.read(path, dtype="int16")
    size = round(BLOCK_S * rate)
    seen = []
    with (
        serving("--model", model, core=core) as server,
        connect(f"ws://127.0.0.1:{server.port}/v1/stream", max_size=None) as socket,
    ):
        start = {"type": "start", "sample_rate": rate, "endpoint": endpoint}
        socket.send(json.dumps(start))
        ready = json.loads(socket.recv())
        if ready["type"] != "ready":
            raise Error(f"the server refused the stream: {ready['message']}")
        began_s = time.monotonic()

        def send() -> None:
            with suppress(ConnectionClosed):  # the reader says why
                for first in range(0, len(samples), size):
                    block = samples[first : first + size]
                    due_s = began_s + (first + len(block)) / rate
                    time.sleep(max(0.0, due_s - time.monotonic()))
                    socket.send(block.astype("<i2").tobytes())
                socket.send('{"type": "end"}')

        sender = threading.Thread(target=send)
        sender.start()
        ended = "without a reason"
        with suppress(ConnectionClosed):
            for text in socket:
                at_s = time.monotonic() - began_s
                message = json.loads(text)
                if message["type"] in {"partial", "final"}:
                    seen.append(seen_message(message, at_s))
                elif message["type"] == "error":
                    ended = message["message"]
                elif message["type"] == "end":
                    ended = ""
                    break
        if ended:
            raise Error(f"the server ended the stream early: {ended}")
        sender.join()
    return Played(seen, rate, block_s=BLOCK_S, note="compute: with the server's ticks and sockets")


def fed_s(recognizer: Recognizer, rate: int, seconds: float) -> list[float]:
    """Return after how many seconds of sound the live resampler has given each step."""
    info = recognizer.acoustic.info
    resampler = Resampler(rate, info.sample_rate)
    piece = np.zeros(max(1, rate // 1000), np.float32)
    fed, given = 0, 0
    found: list[float] = []
    while fed < seconds * rate:
        fed += len(piece)
        given += len(resampler.feed(piece))
        while given >= (len(found) + 1) * info.step_samples:
            found.append(fed / rate)
    return found
