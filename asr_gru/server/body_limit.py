"""Limits on the size and the pauses of request bodies."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr_gru.server.limits import Limits, RefusedError
from asr_gru.server.problems import refused

__all__ = ["BodyLimit"]


class BodyLimit:
    """ASGI middleware that refuses bodies above ``upload_bytes`` and stalled uploads."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on while its body keeps to the limits."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most, idle_s = self.limits.upload_bytes, self.limits.idle_s
        too_large = RefusedError("upload_too_large", f"an upload has at most {most} bytes")
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > most:
            await refused(too_large)(scope, receive, send)
            return
        count, complete = 0, False
        refusal: RefusedError | None = None

        async def counted() -> Message:
            nonlocal count, complete, refusal
            try:
                message = await asyncio.wait_for(receive(), None if complete else idle_s)
            except TimeoutError:
                refusal = RefusedError("idle", f"no part of the upload came for {idle_s:g} s")
                raise refusal from None
            count += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if count > most:
                refusal = too_large
                raise refusal
            return message

        async def unless_refused(message: Message) -> None:
            if refusal is None:  # otherwise the application reports its own error
                await send(message)

        try:
            await self.app(scope, counted, unless_refused)
        except Exception:
            if refusal is None:
                raise
        if refusal is not None:
            await refused(refusal)(scope, receive, send)
