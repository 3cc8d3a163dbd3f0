"""A client's WebSocket, with a single error for lost and closed connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.websockets import WebSocket, WebSocketDisconnect

__all__ = ["CLOSE_S", "ClientGoneError", "ClientSocket"]

CLOSE_S = 1.0
"""Timeout of the closing handshake, in seconds."""


class ClientGoneError(Exception):
    """The client has closed or lost its connection."""


class ClientSocket:
    """Wrapper of a WebSocket; all methods can raise ClientGoneError.

    Args:
        socket: a WebSocket that has not been accepted.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def accept(self) -> None:
        """Open the WebSocket, with the subprotocol of OpenAI's clients if one is offered."""
        subprotocol = "realtime" if "realtime" in self._socket.scope["subprotocols"] else None
        with _client_gone():
            await self._socket.accept(subprotocol)

    async def send(self, text: str) -> None:
        """Send one message, waiting while the client does not read."""
        with _client_gone():
            await self._socket.send_text(text)

    async def receive(self) -> str | bytes:
        """Receive one message."""
        with _client_gone():
            message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise ClientGoneError
        data: bytes | None = message.get("bytes")
        text: str = message.get("text") or ""
        return text if data is None else data

    async def close(self, code: int) -> None:
        """Close the WebSocket; a client that has left, or takes too long, is no error."""
        with contextlib.suppress(ClientGoneError, asyncio.TimeoutError), _client_gone():
            await asyncio.wait_for(self._socket.close(code), CLOSE_S)


@contextlib.contextmanager
def _client_gone() -> Iterator[None]:
    try:
        yield
    except (WebSocketDisconnect, RuntimeError, OSError) as error:
        raise ClientGoneError from error
