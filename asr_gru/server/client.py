"""One WebSocket: admission, limits, reading and writing side by side, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from asr_gru.errors import Error
from asr_gru.server.batcher import Said, Seat
from asr_gru.server.limits import CLOSE_CODES, RefusedError
from asr_gru.server.outbox import Outbox

if TYPE_CHECKING:
    from asr_gru.server.state import ServerState
    from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["Client", "bounded"]

log = logging.getLogger("asr_gru.server")
LONGEST_S = 600.0
"""No segment of the server's is longer, so that nobody's partials grow without end."""
GONE = (WebSocketDisconnect, RuntimeError, OSError)
"""What sending to or receiving from a client raises that has left."""


def bounded(rules: EndpointRules) -> EndpointRules:
    """Return ``rules`` with a longest segment."""
    return rules if rules.longest_s is not None else replace(rules, longest_s=LONGEST_S)


class Client(ABC):
    """What the protocols have in common; each says its own messages.

    A protocol writes the abstract methods.
    """

    protocol = ""

    def __init__(self, socket: WebSocket, state: ServerState) -> None:
        self.socket = socket
        self.state = state
        self.outbox = Outbox(socket.send_text)
        self.seat: Seat | None = None
        self.admitted = False
        self.lag_s = 0.0
        self.audio_s = 0.0
        self.began = self.heard = time.monotonic()
        self._over: asyncio.Future[RefusedError | None] | None = None
        self._ended = asyncio.Event()
        self._ending = False

    # ---- what a protocol says

    @abstractmethod
    async def hello(self) -> None:
        """Greet; may receive first messages."""

    @abstractmethod
    async def receive(self, message: str | bytes) -> bool:
        """Take one message; False when the client wants to end."""

    @abstractmethod
    def say(self, said: Said) -> None:
        """Put what was said into the outbox."""

    @abstractmethod
    def complain(self, refused: RefusedError) -> None:
        """Put an error into the outbox."""

    @abstractmethod
    def finished(self) -> None:
        """Put what follows the last final into the outbox."""

    @abstractmethod
    def status(self) -> None:
        """Put the state of things into the outbox, once a second."""

    # ---- the course of a connection

    async def run(self) -> None:
        """Serve the client until it, or the server, has had enough."""
        self._over = asyncio.get_running_loop().create_future()
        subprotocol = "realtime" if "realtime" in self.socket.scope["subprotocols"] else None
        await self.socket.accept(subprotocol)
        writer = asyncio.create_task(self.outbox.run())
        reader = asyncio.create_task(self._read())
        refused: RefusedError | None = None
        try:
            ends: list[asyncio.Future[Any]] = [reader, writer, self._over]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            refused = self._outcome(reader, writer)
            reader.cancel()  # what comes now is too late
            await asyncio.gather(reader, return_exceptions=True)
            if refused is None:
                await self.end_stream()
                self.finished()
            elif refused.code == "shutting_down":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.end_stream(), self.state.limits.slow_reader_s)
            if refused is not None:
                log.info("client %s: %s", self.protocol, refused.code)
                self.state.metrics.refusals.labels(refused.code).inc()
                self.complain(refused)
            self.outbox.close()
            if not writer.done():
                await asyncio.wait({writer}, timeout=self.state.limits.slow_reader_s)
        except GONE:
            pass
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            self._leave()
            await self._close(CLOSE_CODES[refused.code] if refused else 1000)

    def refuse(self, code: str, message: str) -> None:
        """End the connection with an error."""
        if self._over is not None and not self._over.done():
            self._over.set_result(RefusedError(code, message))

    def watch(self, now: float) -> None:
        """Look at the clock: called once a second."""
        limits = self.state.limits
        if not self.admitted and now - self.began > limits.idle_s:
            self.refuse("idle", f"nothing that begins a session came within {limits.idle_s:g} s")
        elif now - self.heard > limits.idle_s:
            self.refuse("idle", f"no message came for {limits.idle_s:g} s; send audio or end")
        elif now - self.began > limits.session_s:
            self.refuse(
                "session_too_long", f"a session lasts {limits.session_s:g} s; begin another"
            )
        elif self.outbox.stuck_s(now) > limits.slow_reader_s:
            self.refuse("too_slow", f"nothing was read for {limits.slow_reader_s:g} s; read faster")
        elif self.seat is not None:
            self.status()

    def admit(self) -> None:
        """Give the client a place, or refuse it."""
        self.state.admit(self)
        self.admitted = True
        self.state.metrics.sessions.labels(self.protocol).inc()

    def open_seat(self, sample_rate: int, rules: EndpointRules, *, partials: bool = True) -> None:
        """Begin a stream."""
        try:
            self.seat = self.state.batcher.seat(
                sample_rate, bounded(rules), self._tell, partials=partials
            )
        except Error as error:
            raise RefusedError("bad_message", str(error)) from None

    async def end_stream(self) -> None:
        """Finish the stream and wait until all is said."""
        if self.seat is None:
            return
        if not self._ending:
            self._ending = True
            self._ended.clear()
            self.state.batcher.end(self.seat)
        await self._ended.wait()
        self._ending = False
        self.seat = None

    async def next_message(self) -> str | bytes:
        """Receive one message; raises WebSocketDisconnect."""
        message = await self.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        self.heard = time.monotonic()
        data: bytes | None = message.get("bytes")
        return message["text"] if data is None else data

    def put(self, message: Any, *, replaces: str | None = None) -> None:
        """Encode a message and put it into the outbox."""
        self.outbox.put(msgspec.json.encode(message).decode(), replaces=replaces)

    # ---- inside

    async def _read(self) -> None:
        self.state.connect(self)
        await self.hello()
        while await self.receive(await self.next_message()):
            if self.seat is not None and not self.seat.room.is_set():
                await self.seat.room.wait()

    def _tell(self, said: Said) -> None:
        if said.error is not None:
            self.refuse("bad_audio", str(said.error))
            return
        metrics = self.state.metrics
        metrics.live_audio.inc(max(0.0, said.audio_s - self.audio_s))
        self.lag_s, self.audio_s = said.lag_s, said.audio_s
        for event in said.events:
            if event.kind == "final":
                metrics.finals.inc()
        self.say(said)
        if said.ended:
            self._ended.set()

    def _outcome(
        self, reader: asyncio.Task[None], writer: asyncio.Task[None]
    ) -> RefusedError | None:
        """Return why the connection ends: None when the client wanted it; raise if it has gone."""
        assert self._over is not None
        if self._over.done():
            return self._over.result()
        for task in (writer, reader):
            error = task.exception() if task.done() else None
            if isinstance(error, RefusedError):
                return error
            if isinstance(error, GONE):
                raise error
            if error is not None:
                log.error("a client's connection failed", exc_info=error)
                return RefusedError("internal", "internal error; see the server's log")
        return None

    def _leave(self) -> None:
        if self.seat is not None:
            self.state.batcher.leave(self.seat)
            self.seat = None
        self.state.forget(self)

    async def _close(self, code: int) -> None:
        try:
            await asyncio.wait_for(self.socket.close(code), 1.0)
        except TimeoutError:
            self.state.abort(self.socket.client)  # it does not even read that it is over
        except GONE:
            pass
