"""Servers that run in a thread of this process."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
import websockets

from asr_gru.recognizer import Recognizer
from asr_gru.server.access import Access
from asr_gru.server.context import ServerContext
from asr_gru.server.limits import Limits
from asr_gru.server.run import Server, listen
from asr_gru.streaming.endpoint import EndpointRules


@dataclass
class Running:
    """The address of the server."""

    port: int
    context: ServerContext
    server: uvicorn.Server

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def socket(self, path="/v1/stream", **options):
        options = {"compression": None, "proxy": None, **options}
        return websockets.connect(f"ws://127.0.0.1:{self.port}{path}", **options)

    def stop(self):
        self.server.should_exit = True


@pytest.fixture(scope="session")
def recognizer(model):
    return Recognizer.load(model)


@pytest.fixture(scope="session")
def serving(recognizer):
    """Return a context manager that runs a server with the given limits or access rules."""
    tiny = recognizer

    @contextmanager
    def run(access=None, recognizer=tiny, name="tiny", strict_model=False, **limits):
        ready = threading.Event()
        bounds = Limits(**limits)
        sockets = listen("127.0.0.1", 0, bounds)
        port = sockets[0].getsockname()[1]
        made: dict[str, Any] = {}

        async def main():
            made["context"] = ServerContext(
                recognizer,
                access or Access("127.0.0.1"),
                name,
                "en",
                EndpointRules.normal(),
                bounds,
                strict_model,
            )
            made["server"] = Server(made["context"], ready.set)
            await made["server"].serve(sockets)

        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        assert ready.wait(30)
        running = Running(port, made["context"], made["server"])
        try:
            yield running
        finally:
            running.stop()
            thread.join(30)
            assert not thread.is_alive()

    return run


@pytest.fixture(scope="session")
def server(serving):
    with serving() as running:
        yield running
