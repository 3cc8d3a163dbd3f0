"""The application: its routes, and what stands around them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from asr_gru import __version__
from asr_gru.server.access import Guard
from asr_gru.server.body_limit import BodyLimit
from asr_gru.server.problems import problem
from asr_gru.server.realtime_socket import RealtimeClient
from asr_gru.server.state import ServerState
from asr_gru.server.stream_socket import StreamClient
from asr_gru.server.transcriptions import router

__all__ = ["make_app"]

KEY = [Depends(HTTPBearer(auto_error=False))]
"""Documents the key; ``Guard`` checks it."""
PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "worker-src 'self'; img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def make_app(state: ServerState) -> FastAPI:
    """Return the ASGI application around ``state``."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await state.start()
        yield
        await state.stop()

    app = FastAPI(
        title="asr_gru",
        version=__version__,
        description="Speech to text. The WebSockets are described in docs/server.md.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.openapi_version = "3.0.3"  # what the bundled documentation page can show
    app.state.server = state
    app.include_router(router, dependencies=KEY)
    _add_routes(app, state)
    _add_sockets(app, state)
    _add_docs(app)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(_Headers)
    app.add_middleware(BodyLimit, most=state.limits.upload_bytes)
    if state.access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(state.access.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization"],
        )
    app.add_middleware(Guard, access=state.access)
    return app


def _add_routes(app: FastAPI, state: ServerState) -> None:
    @app.get("/v1/models", dependencies=KEY)
    async def models() -> dict[str, object]:
        """List the models: the one that is loaded."""
        entry = {"id": state.name, "object": "model", "created": int(state.started)}
        return {"object": "list", "data": [{**entry, "owned_by": "asr_gru"}]}

    @app.get("/v1/models/{name}", response_model=None, dependencies=KEY)
    async def model(name: str) -> Response:
        """Describe one model."""
        if name != state.name:
            return problem(404, "model_not_found", f"no model {name!r}; there is {state.name}")
        entry = {"id": state.name, "object": "model", "created": int(state.started)}
        return JSONResponse({**entry, "owned_by": "asr_gru"})

    @app.get("/healthz")
    async def healthz() -> dict[str, object]:
        """Say that the server is well."""
        up_s = round(time.time() - state.started, 1)
        return {"status": "ok", "model": state.name, "version": __version__, "up_s": up_s}

    @app.get("/metrics", response_class=Response, dependencies=KEY)
    async def metrics() -> Response:
        """Return counters for Prometheus."""
        return Response(state.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE), name="page")


def _add_sockets(app: FastAPI, state: ServerState) -> None:
    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await StreamClient(socket, state).run()

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        await RealtimeClient(socket, state).run()


def _add_docs(app: FastAPI) -> None:
    """Interactive documentation, from files of this machine alone."""
    import swagger_ui_bundle  # type: ignore[import-untyped]

    folder = Path(swagger_ui_bundle.__file__).parent / "vendor"
    newest = max(folder.glob("swagger-ui-*"))
    app.mount("/docs/files", StaticFiles(directory=newest), name="docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="asr_gru",
            swagger_js_url="/docs/files/swagger-ui-bundle.js",
            swagger_css_url="/docs/files/swagger-ui.css",
            swagger_favicon_url="/docs/files/favicon-32x32.png",
        )


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return problem(400, "invalid_request", f"{where}: {first['msg']}")


class _Headers:
    """ASGI middleware: what a browser may do with the page, and nobody may guess."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
        if scope["path"] == "/" or scope["path"].startswith("/page"):
            added.append((b"cache-control", b"no-cache"))  # after an upgrade all files are new
        if not scope["path"].startswith("/docs"):
            added.append((b"content-security-policy", POLICY.encode()))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, with_headers)
