"""The application: its routes, and the middleware around them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.websockets import WebSocket

from asr_gru import __version__
from asr_gru.server.access import Guard
from asr_gru.server.body_limit import BodyLimit
from asr_gru.server.context import ServerContext
from asr_gru.server.headers import HeadRequests, SecurityHeaders
from asr_gru.server.problems import add_handlers, problem
from asr_gru.server.realtime_socket import RealtimeConnection
from asr_gru.server.registry import Registry
from asr_gru.server.stream_socket import StreamConnection
from asr_gru.server.transcriptions import router

__all__ = ["make_app"]

KEY = [Depends(HTTPBearer(auto_error=False))]
"""Documents the key; ``Guard`` checks it."""
PAGE = Path(__file__).parent / "page"


def make_app(context: ServerContext, registry: Registry) -> FastAPI:
    """Return the ASGI application that serves ``context``."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        context.batcher.start()
        registry.start()
        yield
        registry.stop()
        await context.batcher.stop()
        context.uploads.close()

    app = FastAPIOffline(
        title="asr_gru",
        version=__version__,
        description="Speech to text. The WebSockets are described in docs/server.md.",
        lifespan=lifespan,
        redoc_url=None,
        static_url="/docs/files",
    )
    app.state.context = context
    app.include_router(router, dependencies=KEY)
    _add_routes(app, context)
    _add_sockets(app, context, registry)
    add_handlers(app)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(BodyLimit, limits=context.limits)
    app.add_middleware(HeadRequests)
    app.add_middleware(Guard, access=context.access)
    if context.access.origins:  # outermost, so that pages can read refusals, too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(context.access.origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],  # OpenAI's client sends many of its own
        )
    return app


def _add_routes(app: FastAPI, context: ServerContext) -> None:
    entry = {
        "id": context.model,
        "object": "model",
        "created": int(context.started),
        "owned_by": "asr_gru",
    }

    @app.get("/v1/models", dependencies=KEY)
    async def models() -> dict[str, object]:
        """List the models: the one that is loaded."""
        return {"object": "list", "data": [entry]}

    @app.get("/v1/models/{name}", response_model=None, dependencies=KEY)
    async def model(name: str) -> Response:
        """Describe a model."""
        if not context.answers_to(name):
            return problem(404, "model_not_found", f"no model {name!r}; there is {context.model}")
        return JSONResponse(entry)

    @app.get("/healthz")
    async def healthz() -> dict[str, object]:
        """Answer 200 while the server is up."""
        up_s = round(time.time() - context.started, 1)
        return {"status": "ok", "model": context.model, "version": __version__, "up_s": up_s}

    @app.get("/metrics", response_class=Response, dependencies=KEY)
    async def metrics() -> Response:
        """Return counters for Prometheus."""
        return Response(context.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE), name="page")


def _add_sockets(app: FastAPI, context: ServerContext, registry: Registry) -> None:
    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await StreamConnection(socket, context, registry).run()

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        await RealtimeConnection(socket, context, registry).run()
