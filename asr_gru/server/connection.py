"""A WebSocket connection: admission, limits, concurrent reading and writing, orderly end.

A connection can end in three ways, at any time: its conversation is over (the last event has been
sent, or there was an error), its writer fails (the client has left), or it is refused (by a limit,
the recogniser or a shutdown). ``run`` waits for the first of the three.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from starlette.websockets import WebSocket

from asr_gru.errors import Error
from asr_gru.server.client_socket import CLOSE_S, ClientGoneError, ClientSocket
from asr_gru.server.limits import CLOSE_CODES, INTERNAL, RefusedError
from asr_gru.server.outbox import Outbox
from asr_gru.server.served_stream import ServedStream, StreamUpdate

if TYPE_CHECKING:
    from asr_gru.server.context import ServerContext
    from asr_gru.server.decoding_request import StreamOptions
    from asr_gru.server.registry import Registry
    from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["Connection", "bounded"]

log = logging.getLogger("asr_gru.server")
MAX_SEGMENT_S = 600.0
"""Maximum segment length for clients, which bounds the size of partials."""
FINISHED_FIRST = ("shutting_down", "session_too_long", "idle")
"""Refusals that let the stream end: the client gets its last final before the error."""


def bounded(rules: EndpointRules) -> EndpointRules:
    """Return ``rules`` with a longest segment."""
    return rules if rules.longest_s is not None else replace(rules, longest_s=MAX_SEGMENT_S)


class Connection(ABC):
    """Base class of connections; subclasses implement a protocol."""

    protocol: ClassVar[str]

    def __init__(self, socket: WebSocket, context: ServerContext, registry: Registry) -> None:
        self.socket = socket
        self.context = context
        self.registry = registry
        self._client = ClientSocket(socket)
        self.outbox = Outbox(self._client.send)
        self.stream: ServedStream | None = None
        self.admitted = False
        self.lag_s = 0.0
        self.audio_s = 0.0
        self._opened = time.monotonic()
        self._receiving_since: float | None = None
        self._refusal: asyncio.Future[RefusedError] = asyncio.get_running_loop().create_future()
        self._stream_over = asyncio.Event()
        self._failure: RefusedError | None = None

    # ---- protocol methods

    @abstractmethod
    async def handshake(self) -> None:
        """Check the key, admit the client, open its stream; may receive messages."""

    @abstractmethod
    async def receive(self, message: str | bytes) -> bool:
        """Take one message; False when it is the client's last."""

    @abstractmethod
    def send_update(self, update: StreamUpdate) -> None:
        """Queue the events of an update."""

    @abstractmethod
    def send_error(self, refusal: RefusedError) -> None:
        """Queue an error."""

    @abstractmethod
    def send_end(self) -> None:
        """Queue the messages after the last final."""

    @abstractmethod
    def send_status(self) -> None:
        """Queue a status message; called once a second."""

    # ---- life cycle

    async def run(self) -> None:
        """Serve the client until either side ends the session; its slot is freed in any case."""
        close_code = 1000
        try:
            await self._client.accept()
            refusal = await self._serve()
            close_code = CLOSE_CODES[refusal.code] if refusal else 1000
        except ClientGoneError:
            pass
        except Exception:
            log.exception("a connection failed")
            close_code = CLOSE_CODES["internal"]
        finally:
            self._release()
            await self._client.close(close_code)

    def refuse(self, code: str, message: str) -> None:
        """End the session with an error; later calls have no effect."""
        if not self._refusal.done():
            self._refusal.set_result(RefusedError(code, message))

    def watch(self, now: float) -> None:
        """Check the limits of time, and report the status."""
        limits = self.context.limits
        silent_s = 0.0 if self._receiving_since is None else now - self._receiving_since
        if not self.admitted and now - self._opened > limits.idle_s:
            self.refuse("idle", f"no session was started within {limits.idle_s:g} s")
        elif silent_s > limits.idle_s:
            self.refuse("idle", f"no message came for {limits.idle_s:g} s; send audio")
        elif now - self._opened > limits.session_s:
            self.refuse(
                "session_too_long", f"a session lasts {limits.session_s:g} s; start another"
            )
        elif self.outbox.stuck_s(now) > limits.slow_reader_s:
            self.refuse("too_slow", f"nothing was read for {limits.slow_reader_s:g} s; read faster")
        elif self.stream is not None:
            self.send_status()

    def admit(self) -> None:
        """Take a slot, or raise RefusedError."""
        lag_s = self.context.batcher.lag_s
        if lag_s > self.context.limits.lag_s:
            raise RefusedError("overloaded", f"the server is {lag_s:.1f} s behind; try again later")
        self.registry.admit(self)
        self.admitted = True
        self.context.metrics.sessions.labels(self.protocol).inc()

    def open_stream(
        self,
        sample_rate: int,
        rules: EndpointRules,
        options: StreamOptions,
        *,
        partials: bool = True,
    ) -> None:
        """Start a stream; RefusedError for parameters that the recogniser rejects."""
        self._stream_over.clear()
        self.audio_s = 0.0
        try:
            stream = self.context.recognizer.stream(
                sample_rate, bounded(rules), partials=partials, **options
            )
        except Error as error:
            raise RefusedError("bad_message", str(error)) from None
        self.stream = self.context.batcher.open(stream, self._on_update)

    async def end_stream(self) -> None:
        """Finish the stream and wait for its last update; RefusedError if it fails."""
        if self.stream is None:
            return
        self.context.batcher.end(self.stream)
        await self._stream_over.wait()
        if self._failure is not None:
            raise self._failure
        self.stream = None

    async def finish(self) -> None:
        """Finish the stream; a protocol can add messages."""
        await self.end_stream()

    async def next_message(self) -> str | bytes:
        """Receive one message; ClientGoneError when the client has left."""
        self._receiving_since = time.monotonic()
        try:
            return await self._client.receive()
        finally:
            self._receiving_since = None

    def put(self, message: Any, *, replaces: str | None = None) -> None:
        """Encode a message and queue it; ``replaces`` as in ``Outbox.put``."""
        self.outbox.put(msgspec.json.encode(message).decode(), replaces=replaces)

    # ---- private methods

    async def _serve(self) -> RefusedError | None:
        """Wait for the first of the three ends; return the refusal that was sent, if any."""
        conversation = asyncio.create_task(self._converse())
        writer = asyncio.create_task(self.outbox.run())
        try:
            ends: set[asyncio.Future[Any]] = {conversation, writer, self._refusal}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            refusal = self._outcome(conversation, writer)
            await _cancel(conversation)
            if refusal is not None:
                if refusal.code in FINISHED_FIRST:
                    await self._finish_stream(writer)
                log.info("%s session refused: %s", self.protocol, refusal.code)
                self.context.metrics.refusals.labels(refusal.code).inc()
                self.send_error(refusal)
            self.outbox.close()
            is_stuck = refusal is not None and refusal.code == "too_slow"
            patience_s = CLOSE_S if is_stuck else self.context.limits.slow_reader_s
            await asyncio.wait({writer}, timeout=patience_s)
            return refusal
        finally:
            await _cancel(conversation, writer)

    async def _converse(self) -> None:
        self.registry.connect(self)
        await self.handshake()
        while await self.receive(await self.next_message()):
            if self.stream is not None:
                await self.stream.has_room.wait()
            await self.outbox.has_room.wait()
        discarding = asyncio.create_task(self._discard_messages())
        ending = asyncio.create_task(self.finish())
        try:
            await asyncio.wait({discarding, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                discarding.result()
            ending.result()
        finally:
            await _cancel(discarding, ending)
        self.send_end()

    def _outcome(
        self, conversation: asyncio.Task[None], writer: asyncio.Task[None]
    ) -> RefusedError | None:
        """Return why the session ends, None if the client ended it; raises ClientGoneError."""
        if self._refusal.done():
            return self._refusal.result()
        for task in (writer, conversation):
            error = task.exception() if task.done() else None
            if isinstance(error, RefusedError):
                return error
            if isinstance(error, ClientGoneError):
                raise error
            if error is not None:
                log.error("a session failed", exc_info=error)
                return RefusedError("internal", INTERNAL)
        return None

    async def _finish_stream(self, writer: asyncio.Task[None]) -> None:
        """Finish the stream, unless this times out or fails, or the client has left."""
        finishing = asyncio.create_task(self.finish())
        await asyncio.wait(
            {finishing, writer},
            timeout=self.context.limits.slow_reader_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        await _cancel(finishing)

    def _on_update(self, update: StreamUpdate) -> None:
        try:
            metrics = self.context.metrics
            metrics.live_audio.inc(max(0.0, update.audio_s - self.audio_s))
            self.lag_s, self.audio_s = update.lag_s, update.audio_s
            metrics.finals.inc(sum(event.kind == "final" for event in update.events))
            self.send_update(update)
            if update.error is not None:
                is_input = isinstance(update.error, Error)
                self._fail("bad_audio" if is_input else "internal", update.error)
        except Exception as error:
            log.exception("an update could not be sent")
            self._fail("internal", error)
        finally:
            if update.ended or update.error is not None:
                self._stream_over.set()

    async def _discard_messages(self) -> None:
        """Discard messages until the client leaves."""
        while True:
            await self._client.receive()

    def _fail(self, code: str, error: Exception) -> None:
        self._failure = RefusedError(code, INTERNAL if code == "internal" else str(error))
        self._stream_over.set()
        self.refuse(code, self._failure.message)

    def _release(self) -> None:
        if self.stream is not None:
            self.context.batcher.detach(self.stream)
            self.stream = None
        self.registry.remove(self)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
