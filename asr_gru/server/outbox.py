"""What waits to be sent to a client, and for how long."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

__all__ = ["Outbox"]


class Outbox:
    """Messages in order; of several unsent partials of a segment only the last is kept.

    Args:
        send: sends one text, waiting while the client does not read.
    """

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._sending_since: float | None = None
        self._messages: deque[tuple[str | None, str]] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, text: str, *, replaces: str | None = None) -> None:
        """Add a message; it takes the place of an unsent last one of the same ``replaces``."""
        if self._closed:
            return
        if replaces is not None and self._messages and self._messages[-1][0] == replaces:
            self._messages.pop()
        self._messages.append((replaces, text))
        self._news.set()

    def close(self) -> None:
        """Send what is there, then no more."""
        self._closed = True
        self._news.set()

    def stuck_s(self, now: float) -> float:
        """Return for how many seconds the message under way has not been read."""
        return 0.0 if self._sending_since is None else now - self._sending_since

    async def run(self) -> None:
        """Send until closed."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._messages:
                _, text = self._messages.popleft()
                self._sending_since = time.monotonic()
                await self._send(text)
                self._sending_since = None
            if self._closed:
                return
