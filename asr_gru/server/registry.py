"""The open WebSocket sessions: admission, the clock, and the shutdown."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

from asr_gru.server.limits import INTERNAL, SHUTTING_DOWN, RefusedError

if TYPE_CHECKING:
    from asr_gru.server.limits import Limits
    from asr_gru.server.metrics import Metrics

__all__ = ["Registry", "Session"]

log = logging.getLogger("asr_gru.server")
PENDING = 64
"""Connections that may be open beyond the admitted ones, before their first message."""


class Session(Protocol):
    """Interface of a connection for the registry."""

    def refuse(self, code: str, message: str) -> None:
        """End the session with an error; later calls have no effect."""

    def watch(self, now: float) -> None:
        """Check the limits of time; ``now`` is ``time.monotonic()``."""


class Registry:
    """Keeps the open sessions, calls each once a second, and ends all at a shutdown."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._connected: dict[Session, None] = {}
        self._admitted: set[Session] = set()
        self._closing = False
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the clock."""
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """Stop the clock."""
        if self._watching:
            self._watching.cancel()

    def connect(self, session: Session) -> None:
        """Add a connection; RefusedError if too many have not begun yet, or at a shutdown."""
        self._connected[session] = None
        self._metrics.clients.set(len(self._connected))
        if self._closing:
            raise RefusedError("shutting_down", SHUTTING_DOWN)
        if len(self._connected) - len(self._admitted) > PENDING:
            raise RefusedError("too_many_clients", "too many connections; try again later")

    def admit(self, session: Session) -> None:
        """Give a session one of the slots; RefusedError if none is free."""
        if self._closing:
            raise RefusedError("shutting_down", SHUTTING_DOWN)
        if len(self._admitted) >= self._limits.clients:
            raise RefusedError(
                "too_many_clients", f"all {self._limits.clients} slots are taken; try again later"
            )
        self._admitted.add(session)

    def remove(self, session: Session) -> None:
        """Free a session's slot."""
        self._connected.pop(session, None)
        self._admitted.discard(session)
        self._metrics.clients.set(len(self._connected))

    async def drain(self) -> None:
        """Refuse new sessions, end open ones and wait until their finals have been sent."""
        self._closing = True
        for session in list(self._connected):
            session.refuse("shutting_down", SHUTTING_DOWN)
        deadline = time.monotonic() + self._limits.slow_reader_s
        while self._connected and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for session in list(self._connected):
                try:
                    session.watch(now)
                except Exception:
                    log.exception("watching a session failed")
                    session.refuse("internal", INTERNAL)
