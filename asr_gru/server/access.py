"""Access control: API key, origin of browser pages, host name of requests."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from asr_gru.errors import ConfigError
from asr_gru.server.problems import problem

__all__ = ["Access", "Guard", "is_loopback"]

OPEN_PATHS = ("/", "/healthz", "/page", "/docs", "/openapi.json", "/favicon.ico")
"""Paths that need no key."""
USUAL_PORTS = {"http": 80, "https": 443}
SUBPROTOCOL_KEY = "openai-insecure-api-key."
"""Prefix of the subprotocol in which browsers, which cannot set headers, send the key."""


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Access:
    """Access rules for clients.

    Attributes:
        host: what the server listens on.
        key: the API key, or None.
        origins: origins of foreign pages that may use the server (``https://example.org``).

    Raises:
        ConfigError: the host needs a key, or the key or an origin is invalid.
    """

    host: str
    key: str | None = None
    origins: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.key is None and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} lets other machines in, which needs a key; write one into a "
                "file and give it as --api-key-file"
            )
        if self.key is not None and len(self.key) < 16:
            raise ConfigError("the API key is shorter than 16 characters; give a longer one")
        object.__setattr__(self, "origins", frozenset(map(_origin, self.origins)))

    def knows(self, key: str | None) -> bool:
        """Compare a key in constant time; any key is right if the server has none."""
        if self.key is None:
            return True
        return key is not None and hmac.compare_digest(key.encode(), self.key.encode())

    def admits_page(self, headers: Headers) -> bool:
        """Check the origin of a browser's page and, where there is no key, the name called.

        This stops foreign pages, also those whose host name resolves to loopback (DNS rebinding).
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        try:
            name = urlsplit(f"//{host}").hostname or ""
            own = origin is None or urlsplit(origin).netloc == host
        except ValueError:
            return False
        if self.key is None and not (is_loopback(name) or name == self.host):
            return False
        return own or origin in self.origins


def _origin(text: str) -> str:
    """Return a normalised origin (RFC 6454): scheme, host and non-default port."""
    problem = ConfigError(f"--origin {text}: not an origin; write it as https://example.org")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise problem from None
    more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if more or not host or parts.scheme not in USUAL_PORTS:
        raise problem
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (
        f":{port}" if port not in (None, USUAL_PORTS[parts.scheme]) else ""
    )


def key_of(scope: Scope) -> str | None:
    """Return the key in the header or subprotocol of a request."""
    scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        return key.strip()
    for protocol in scope.get("subprotocols", ()):
        if protocol.startswith(SUBPROTOCOL_KEY):
            return str(protocol[len(SUBPROTOCOL_KEY) :])
    return None


class Guard:
    """ASGI middleware that enforces ``Access``.

    The key of a WebSocket can also be in its first message, so a WebSocket without a key passes;
    ``scope["key_known"]`` tells whether its header had the right key.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        admitted = self.access.admits_page(headers)
        scope["key_known"] = self.access.knows(key_of(scope))
        if scope["type"] == "websocket":
            if admitted:
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": "origin"})
            return
        path = scope["path"]
        is_open = scope["method"] == "OPTIONS" or any(  # a browser asks before it sends a key
            path == p or (p != "/" and path.startswith(f"{p}/")) for p in OPEN_PATHS
        )
        if not admitted:
            error = problem(403, "origin", "this page or host name may not use the server")
        elif not (is_open or scope["key_known"]):
            error = problem(401, "unauthorized", "send the header Authorization: Bearer KEY")
        else:
            await self.app(scope, receive, send)
            return
        await error(scope, receive, send)
