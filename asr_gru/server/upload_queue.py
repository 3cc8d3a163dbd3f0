"""Slots for the recordings that are transcribed concurrently, and a bounded queue for them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from asr_gru.server.limits import SHUTTING_DOWN, RefusedError

__all__ = ["UploadQueue"]


class UploadQueue:
    """A limit on concurrent and queued recordings; further ones are refused.

    Attributes:
        threads: one for each slot; the event loop's own are few, and live sessions need them.
        abandoned: the server shuts down and waits no longer; work in progress is to stop.
    """

    def __init__(self, slots: int, queued: int) -> None:
        self.threads = ThreadPoolExecutor(slots, "upload")
        self.abandoned = False
        self._slots = self._free = slots
        self._queued = queued
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def working(self) -> int:
        """Slots that are taken."""
        return self._slots - self._free

    @property
    def waiting(self) -> int:
        """Recordings that wait for a slot."""
        return len(self._waiting)

    def check(self) -> None:
        """Raise RefusedError if a further recording would be refused."""
        if self._closed:
            raise RefusedError("shutting_down", SHUTTING_DOWN)
        if not self._free and self.waiting >= self._queued:
            raise RefusedError("too_many_uploads", "too many recordings wait; try again later")

    async def acquire(self) -> None:
        """Wait for a slot; RefusedError as from ``check``, and when a shutdown ends the wait."""
        self.check()
        if self._free:
            self._free -= 1
            return
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(ticket)
        try:
            await ticket
        except asyncio.CancelledError:
            if ticket.done() and not ticket.cancelled() and ticket.exception() is None:
                self.release()  # the slot was handed over, but the waiter is gone
            raise
        finally:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def release(self) -> None:
        """Free a slot, or hand it to the next that waits."""
        while self._waiting:
            ticket = self._waiting.popleft()
            if not ticket.done():
                ticket.set_result(None)
                return
        self._free += 1

    async def drain(self, patience_s: float) -> None:
        """Refuse queued recordings, and abort running ones after ``patience_s``."""
        self._closed = True
        for ticket in self._waiting:
            if not ticket.done():
                ticket.set_exception(RefusedError("shutting_down", SHUTTING_DOWN))
        deadline = time.monotonic() + patience_s
        while self.working:
            self.abandoned = time.monotonic() > deadline
            await asyncio.sleep(0.02)
            if time.monotonic() > deadline + 1.0:
                return

    def close(self) -> None:
        """Take no more recordings; threads end with those that they transcribe."""
        self.threads.shutdown(wait=False, cancel_futures=True)
