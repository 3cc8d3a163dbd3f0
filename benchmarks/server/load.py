"""How many live streams the server sustains over WebSocket, with the clients on the same machine.

    python -m benchmarks.server.load audio_samples/long.ogg --clients 400 --seconds 40
    python -m benchmarks.server.load audio_samples/long.ogg --clients 400 --ramp 200 --seconds 25

Starts a server and connects the clients at random times within the first seconds; each sends
blocks of 100 ms in real time. The lag of an event is the time since the last audio that the event
covers was due to be sent. A client is whole when its finals equal the transcript of the same clip
and the server received all of its audio. With ``--ramp`` the number of clients rises until that
fails.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import resource
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asr_gru import Recognizer
from asr_gru.audio.samples import to_int16
from benchmarks._common import (
    make_parser,
    positive,
    print_environment,
    read_samples,
    run,
    whole_number,
)
from benchmarks._processes import serving

BLOCK_S = 0.1
PATIENCE_S = 60.0
"""A client whose stream has not ended so long after its audio is broken."""
CLIPS = 8
RATE = 16_000


def frame(payload: bytes, opcode: int) -> bytes:
    """Return a client's WebSocket frame; the mask is zero, so the payload stays as it is."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    return head + b"\0\0\0\0" + payload


@dataclass
class Clip:
    """The audio of a client, in frames of 100 ms, and the text it must get back."""

    frames: list[bytes]
    seconds: float
    text: str


@dataclass
class Tally:
    """Results of all clients."""

    lags_s: list[float] = field(default_factory=list)
    whole: int = 0
    broken: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)


def blocks_within(audio_s: float) -> int:
    """Return how many blocks the first ``audio_s`` seconds, in whole milliseconds, are in."""
    return -(-round(1000 * audio_s) // round(1000 * BLOCK_S))


def first_difference(text: str, expected: str) -> str:
    """Return where a text differs from the one expected, or an empty string."""
    pairs = itertools.zip_longest(text.split(), expected.split(), fillvalue="nothing")
    for number, (word, its) in enumerate(pairs, 1):
        if word != its:
            return f"text differs: word {number} is {word}, not {its}"
    return ""


class Client(asyncio.Protocol):
    """A WebSocket client at minimal cost: sends prepared frames, reads events."""

    def __init__(self, clip: Clip, tally: Tally, port: int) -> None:
        self.clip, self.tally, self.port = clip, tally, port
        self.loop = asyncio.get_running_loop()
        self.done = self.loop.create_future()
        self.buffer = b""
        self.upgraded = False
        self.finals: list[str] = []
        self.sent: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def connection_lost(self, _: Exception | None) -> None:
        """Note it, unless all was over."""
        self.finish("connection lost")

    def data_received(self, data: bytes) -> None:
        """Take frames apart."""
        self.buffer += data
        if not self.upgraded:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.finish(head.split(b"\r\n")[0].decode())
                return
            self.upgraded, self.buffer = True, rest
            self.transport.write(frame(b'{"type":"start","sample_rate":16000}', 1))
        now = time.monotonic()
        while (size := len(self.buffer)) >= 2:
            length, start = self.buffer[1], 2
            if length == 126:
                if size < 4:
                    return
                length, start = struct.unpack("!H", self.buffer[2:4])[0], 4
            elif length == 127:
                if size < 10:
                    return
                length, start = struct.unpack("!Q", self.buffer[2:10])[0], 10
            if size < start + length:
                return
            opcode, payload = self.buffer[0] & 15, self.buffer[start : start + length]
            self.buffer = self.buffer[start + length :]
            if opcode == 9:
                self.transport.write(frame(payload, 10))
            elif opcode == 1:
                self.handle(json.loads(payload), now)

    def handle(self, message: dict, now: float) -> None:
        """Handle a message from the server."""
        kind = message["type"]
        if kind == "ready":
            self.began = now
            self.send_due()
        elif kind in ("partial", "final"):
            index = min(len(self.sent), max(1, blocks_within(message["audio_s"]))) - 1
            self.tally.lags_s.append(now - self.sent[index])
            if kind == "final":
                self.finals.append(message["text"])
        elif kind == "error":
            code = message["code"]
            self.tally.refused[code] = self.tally.refused.get(code, 0) + 1
            self.finish("")
        elif kind == "end":
            complete = abs(message["audio_s"] - self.clip.seconds) < 0.01
            differs = first_difference(" ".join(self.finals), self.clip.text)
            self.finish(differs if complete else "audio is missing")
            self.tally.whole += complete and not differs

    def send_due(self) -> None:
        """Send all blocks that are due; a generator that is late itself counts its own lateness."""
        if self.transport.is_closing():
            return
        due = self.began + len(self.sent) * BLOCK_S
        now = time.monotonic()
        while len(self.sent) < len(self.clip.frames) and due <= now:
            self.transport.write(self.clip.frames[len(self.sent)])
            self.sent.append(due)
            due += BLOCK_S
        if len(self.sent) < len(self.clip.frames):
            self.loop.call_later(due - now, self.send_due)
        else:
            self.transport.write(frame(b'{"type":"end"}', 1))

    def finish(self, trouble: str) -> None:
        """End this client, with or without a failure."""
        if not self.done.done():
            if trouble:
                self.tally.broken.append(trouble)
            self.done.set_result(None)
            self.transport.close()


def clips(model: str, path: Path, seconds: float) -> list[Clip]:
    """Cut a recording, repeated if necessary, into clips of whole blocks."""
    recognizer = Recognizer.load(model)
    samples = to_int16(read_samples(path, RATE))
    size = max(1, round(seconds / BLOCK_S)) * round(BLOCK_S * RATE)
    samples = np.tile(samples, 1 + max(int(seconds / 30), size // len(samples)))
    made = []
    for index in range(CLIPS):
        start = index * (len(samples) - size) // CLIPS
        clip = samples[start : start + size]
        blocks = clip.reshape(-1, round(BLOCK_S * RATE))
        frames = [frame(block.tobytes(), 2) for block in blocks]
        made.append(Clip(frames, size / RATE, recognizer.transcribe(clip, RATE).text))
    return made


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process in seconds."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(clients: int, made: list[Clip], port: int, spread_s: float) -> Tally:
    """Run clients that connect within the first ``spread_s`` seconds, until the last has ended."""
    tally, loop = Tally(), asyncio.get_running_loop()

    async def one(index: int) -> None:
        await asyncio.sleep(random.random() * spread_s)
        try:
            _, client = await loop.create_connection(
                lambda: Client(made[index % len(made)], tally, port), "127.0.0.1", port
            )
        except OSError as error:
            tally.broken.append(f"not connected: {error.strerror}")
            return
        await asyncio.wait([client.done], timeout=made[0].seconds + PATIENCE_S)
        client.finish(f"no end within {PATIENCE_S:g} s")

    await asyncio.gather(*(one(index) for index in range(clients)))
    return tally


def measure(clients: int, made: list[Clip], options: list[str]) -> bool:
    """Print a line of the table; return whether the server sustained the clients."""
    with serving(*options) as server:
        before, own, began = cpu_s(server.pid), time.process_time(), time.monotonic()
        tally = asyncio.run(load(clients, made, server.port, spread_s=5.0))
        wall = time.monotonic() - began
        server_share = (cpu_s(server.pid) - before) / wall
        own_share = (time.process_time() - own) / wall
    lags = np.array(tally.lags_s or [np.nan]) * 1000
    p50, p90, p99 = np.percentile(lags, [50, 90, 99])
    trouble = {reason: tally.broken.count(reason) for reason in sorted(set(tally.broken))}
    print(
        f"{clients:7d} {tally.whole:7d} {p50:7.0f} {p90:7.0f} {p99:7.0f} {lags.max():7.0f}"
        f" {server_share:7.2f} {own_share:7.2f}   {tally.refused or ''} {trouble or ''}",
        flush=True,
    )
    refused = tally.refused.get("too_many_clients", 0) + tally.refused.get("overloaded", 0)
    return bool(p99 < 500 and tally.whole + refused == clients)


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, recording=True)
    parser.add_argument("--clients", type=whole_number, default=400, help="number of clients")
    parser.add_argument(
        "--limit", type=whole_number, default=100_000, help="--clients of the server"
    )
    parser.add_argument("--threads", type=whole_number, default=2, help="--threads of the server")
    parser.add_argument("--seconds", type=positive, default=40.0, help="audio of each client")
    parser.add_argument(
        "--ramp", type=whole_number, help="add so many clients each time, until the server fails"
    )
    arguments = parser.parse_args(argv)
    print_environment(arguments.model)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    made = clips(arguments.model, arguments.recording, arguments.seconds)
    print("                    lag in ms                   cores")
    print("clients   whole     p50     p90     p99     max  server clients   refused, broken")
    clients = arguments.clients
    options = [
        *("--model", arguments.model, "--clients", str(arguments.limit)),
        *("--threads", str(arguments.threads)),
    ]
    while measure(clients, made, options) and arguments.ramp:
        clients += arguments.ramp


if __name__ == "__main__":
    run(main)
