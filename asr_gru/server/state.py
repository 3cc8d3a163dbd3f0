"""What all connections of a server share."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from asr_gru.server.batcher import Batcher
from asr_gru.server.limits import Limits, RefusedError
from asr_gru.server.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Address

    from asr_gru.recognizer import Recognizer
    from asr_gru.server.access import Access
    from asr_gru.server.client import Client
    from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["ServerState"]

log = logging.getLogger("asr_gru.server")
GOING_DOWN = "the server is going down; connect again later"
SPARE = 64
"""Connections beyond the admitted ones that may be about to begin."""


class ServerState:
    """The recogniser, the batcher, the clients and the limits.

    Attributes:
        recognizer: of all clients.
        access: who may be a client.
        name: of the model, as clients call it.
        language: that it writes, or "".
        rules: where segments end unless a client says otherwise.
        limits: of each client.
        uploads: a place for each recording that is transcribed at a time.
        waiting_uploads: recordings that wait for one.
        abort: cuts the connection of an address, whatever it has not read.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        access: Access,
        name: str,
        language: str,
        rules: EndpointRules,
        limits: Limits,
    ) -> None:
        self.recognizer = recognizer
        self.access = access
        self.name = name
        self.language = language
        self.rules = rules
        self.limits = limits
        self.metrics = Metrics()
        self.batcher = Batcher(recognizer, self.metrics, limits.behind_s)
        self.uploads = asyncio.Semaphore(limits.uploads)
        self.waiting_uploads = 0
        self.started = time.time()
        self.abort: Callable[[Address | None], None] = lambda address: None  # noqa: ARG005
        self._connected: dict[Client, None] = {}
        self._admitted: set[Client] = set()
        self._closing = False
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self.batcher.start()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Serve no more."""
        if self._watching:
            self._watching.cancel()
        await self.batcher.stop()

    async def drain(self) -> None:
        """Finish what is being said, tell every client, and wait until they are served."""
        self._closing = True
        for client in list(self._connected):
            client.refuse("shutting_down", GOING_DOWN)
        deadline = time.monotonic() + self.limits.slow_reader_s
        while self._connected and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    def connect(self, client: Client) -> None:
        """Keep an eye on a connection; RefusedError if too many of them have not begun yet."""
        self._connected[client] = None
        if len(self._connected) - len(self._admitted) > SPARE:
            raise RefusedError("too_many_clients", "too many connections; try again later")
        self.metrics.clients.set(len(self._connected))

    def admit(self, client: Client) -> None:
        """Give a client one of the places; RefusedError if there is none."""
        if self._closing:
            raise RefusedError("shutting_down", GOING_DOWN)
        if len(self._admitted) >= self.limits.clients:
            raise RefusedError(
                "too_many_clients", f"all {self.limits.clients} places are taken; try again later"
            )
        self._admitted.add(client)

    def forget(self, client: Client) -> None:
        """Free a client's place."""
        self._connected.pop(client, None)
        self._admitted.discard(client)
        self.metrics.clients.set(len(self._connected))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for client in list(self._connected):
                try:
                    client.watch(now)
                except Exception:
                    log.exception("a client could not be watched")
                    client.refuse("internal", "internal error; see the server's log")
