"""Runs the application with uvicorn, with a graceful shutdown of streams."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from asr_gru.errors import ConfigError
from asr_gru.server.app import make_app
from asr_gru.server.context import ServerContext
from asr_gru.server.http_protocol import http_protocol
from asr_gru.server.limits import Limits
from asr_gru.server.registry import Registry

__all__ = ["Server", "listen", "serve"]

BACKLOG = 2048
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""A host name may have addresses of a family that is disabled on this machine."""


def listen(host: str, port: int, limits: Limits) -> list[socket.socket]:
    """Return a listening socket for each address of ``host``, all at one port.

    Linux drops a connection whose peer has read nothing for twice ``limits.slow_reader_s``
    (RFC 5482), which ends what no message can reach any more; other systems wait longer.

    Args:
        host: address or name.
        port: 0 for any that is free.
        limits: limits of clients.

    Raises:
        ConfigError: the address cannot be used, or is in use.
    """
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    patience_ms = min(round(2000 * limits.slow_reader_s), 2**31 - 1)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:  # the latter for names that cannot be in the DNS
        raise _cannot_listen(host, port, error) from None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        at = sockets[0].getsockname()[1] if sockets else address[1]
        try:
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)
            listener.bind((address[0], at, *address[2:]))
            listener.listen(BACKLOG)
        except OSError as error:
            if error.errno not in ABSENT:
                for each in sockets:
                    each.close()
                raise _cannot_listen(host, port, error) from None
            absent = error
            sockets.pop().close()
    if not sockets:
        assert absent is not None
        raise _cannot_listen(host, port, absent)
    return sockets


def serve(
    context: ServerContext,
    sockets: Sequence[socket.socket],
    *,
    certificate: tuple[Path, Path] | None = None,
    on_listening: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        context: the recogniser, limits and access rules of the server.
        sockets: from ``listen``.
        certificate: certificate and key, for https and wss.
        on_listening: called once requests are answered.
    """
    files = {}
    if certificate:
        files = {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}
    Server(context, on_listening, **files).run(list(sockets))


class Server(uvicorn.Server):
    """A uvicorn server that sends the last finals before it closes connections.

    Args:
        context: the recogniser, limits and access rules of the server.
        on_listening: called once requests are answered.
        options: further ones of ``uvicorn.Config``.
    """

    def __init__(
        self, context: ServerContext, on_listening: Callable[[], None], **options: Any
    ) -> None:
        self._context = context
        self._registry = Registry(context.limits, context.metrics)
        self._on_listening = on_listening
        super().__init__(
            uvicorn.Config(
                make_app(context, self._registry),
                log_level="warning",
                access_log=False,
                server_header=False,
                http=http_protocol(context.limits.idle_s),
                ws="websockets-sansio",
                ws_max_size=context.limits.message_bytes,
                ws_per_message_deflate=False,
                ws_ping_interval=None,  # a busy client may answer slowly; limits detect dead ones
                proxy_headers=False,
                timeout_graceful_shutdown=5,
                **options,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting connections, then call ``on_listening``."""
        await super().startup(sockets)
        if self.started:
            self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the work of all clients, then close."""
        patience_s = self._context.limits.slow_reader_s
        await asyncio.gather(self._registry.drain(), self._context.uploads.drain(patience_s))
        await super().shutdown(sockets)


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> ConfigError:
    reason = "not a host name" if isinstance(error, UnicodeError) else error.strerror or error
    return ConfigError(f"cannot listen on {host}:{port} ({reason}); give another --host or --port")
