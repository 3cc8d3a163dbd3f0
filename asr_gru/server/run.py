"""The application under uvicorn, with an end that finishes what is being said."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.datastructures import Address

from asr_gru.server.app import make_app
from asr_gru.server.state import ServerState

__all__ = ["Server", "serve", "uvicorn_config"]


class Server(uvicorn.Server):
    """Tells when it listens, and drains its clients before it closes their sockets."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState, listening: Callable[[int], None]
    ) -> None:
        super().__init__(config)
        self._state = state
        state.abort = self._abort
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if self.started and self.servers:
            self._listening(self.servers[0].sockets[0].getsockname()[1])

    def _abort(self, address: Address | None) -> None:
        for connection in list(self.server_state.connections):
            transport: asyncio.Transport = connection.transport
            peer = transport.get_extra_info("peername")
            if address and peer and peer[:2] == tuple(address):
                transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let every client finish, then close."""
        await self._state.drain()
        await super().shutdown(sockets)


def serve(
    state: ServerState,
    host: str,
    port: int,
    *,
    certificate: tuple[Path, Path] | None = None,
    listening: Callable[[int], None],
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        state: what is served.
        host: address or name to listen on.
        port: 0 for any that is free.
        certificate: certificate and key, for https and wss.
        listening: called with the port once connections are taken.
    """
    files = {}
    if certificate:
        files = {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}
    Server(uvicorn_config(state, host, port, **files), state, listening).run()


def uvicorn_config(state: ServerState, host: str, port: int, **options: Any) -> uvicorn.Config:
    """Return what uvicorn is told: no log of requests, bounded messages, no compression."""
    return uvicorn.Config(
        make_app(state),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=state.limits.message_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # limits see dead clients; a busy one may be slow to answer a ping
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        **options,
    )
