"""Requests of bounded size, counted while they come."""

from __future__ import annotations

import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr_gru.server.problems import problem

__all__ = ["BodyLimit"]


class _TooLargeError(Exception):
    pass


class BodyLimit:
    """ASGI middleware that answers 413 to a body above ``most`` bytes."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = problem(413, "upload_too_large", f"an upload has at most {self.most} bytes")
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > self.most:
            await answer(scope, receive, send)
            return
        count = 0

        async def counted() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > self.most:
                raise _TooLargeError
            return message

        async def unless_too_large(message: Message) -> None:
            if count <= self.most:  # else the application's own complaint is not the point
                await send(message)

        with contextlib.suppress(_TooLargeError):
            await self.app(scope, counted, unless_too_large)
        if count > self.most:
            await answer(scope, receive, send)
