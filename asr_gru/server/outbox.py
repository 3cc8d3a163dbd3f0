"""The queue of messages to a client."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

__all__ = ["Outbox"]


class Outbox:
    """Messages in order; an unsent message can be replaced by a newer one.

    Args:
        send: sends one text, waiting while the client does not read.
    """

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._sending_since: float | None = None
        self._messages: deque[tuple[str | None, str, float]] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, text: str, *, replaces: str | None = None) -> None:
        """Add a message, or replace an unsent one with the same ``replaces``."""
        if self._closed:
            return
        for index in range(len(self._messages) - 1, -1, -1):
            key, _, since = self._messages[index]
            if replaces is None or key is None:
                break
            if key == replaces:
                self._messages[index] = (key, text, since)
                return
        self._messages.append((replaces, text, time.monotonic()))
        self._news.set()

    def close(self) -> None:
        """Stop after the queued messages have been sent."""
        self._closed = True
        self._news.set()

    def stuck_s(self, now: float) -> float:
        """Return for how many seconds the oldest message has waited to be read."""
        oldest = self._messages[0][2] if self._messages else now
        return now - min(oldest, self._sending_since or now)

    async def run(self) -> None:
        """Send until closed."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._messages:
                _, text, _ = self._messages.popleft()
                self._sending_since = time.monotonic()
                await self._send(text)
                self._sending_since = None
            if self._closed:
                return
