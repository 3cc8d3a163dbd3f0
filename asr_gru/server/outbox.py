"""The queue of messages to a client."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

__all__ = ["Outbox"]

MAX_LENGTH = 4_000_000
"""Characters that may wait; an hour of finals with their words takes about one million."""


class Outbox:
    """Messages in order; an unsent message can be replaced by a newer one.

    Args:
        send: sends one text, waiting while the client does not read.

    Attributes:
        has_room: set unless more than ``MAX_LENGTH`` characters wait; then a client's further
            requests have to wait, too.
    """

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._sending_since: float | None = None
        self._messages: deque[tuple[str | None, str, float]] = deque()
        self._length = 0
        self.has_room = asyncio.Event()
        self.has_room.set()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, text: str, *, replaces: str | None = None) -> None:
        """Add a message, or replace an unsent one with the same ``replaces``."""
        if self._closed:
            return
        for index in range(len(self._messages) - 1, -1, -1):
            key, replaced, since = self._messages[index]
            if replaces is None or key is None:
                break
            if key == replaces:
                self._messages[index] = (key, text, since)
                self._grow(len(text) - len(replaced))
                return
        self._messages.append((replaces, text, time.monotonic()))
        self._grow(len(text))
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
                self._grow(-len(text))
                self._sending_since = time.monotonic()
                await self._send(text)
                self._sending_since = None
            if self._closed:
                return

    def _grow(self, length: int) -> None:
        self._length += length
        if self._length > MAX_LENGTH:
            self.has_room.clear()
        else:
            self.has_room.set()
