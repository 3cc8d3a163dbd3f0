"""HTTP connections that are closed if no request comes."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["http_protocol"]


def http_protocol(idle_s: float) -> type[asyncio.Protocol]:
    """Return the protocol of connections whose requests have to be there within ``idle_s``."""
    return type("HTTPProtocol", (_HTTPProtocol,), {"idle_s": idle_s})


class _HTTPProtocol(H11Protocol):
    """As uvicorn's, which waits for ever for the line and the headers of a request.

    Everybody can connect, with or without a key, and each connection takes a file descriptor.

    Attributes:
        idle_s: longest wait for a request, in seconds.
    """

    idle_s: ClassVar[float]
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Let the clock run from the end of a request to the headers of the next."""
        is_upgraded = self.transport.get_protocol() is not self
        if is_upgraded or (self.cycle is not None and not self.cycle.response_complete):
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(self.idle_s, self.timeout_keep_alive_handler)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
