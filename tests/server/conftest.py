"""A real server in a thread of this process."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
import websockets

from asr_gru.recognizer import Recognizer
from asr_gru.server.access import Access
from asr_gru.server.limits import Limits
from asr_gru.server.run import Server, uvicorn_config
from asr_gru.server.state import ServerState
from asr_gru.streaming.endpoint import EndpointRules


@dataclass
class Running:
    """Where the server listens."""

    port: int
    state: ServerState
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
    """Return a context manager that runs a server with other limits or access."""
    tiny = recognizer

    @contextmanager
    def run(access=None, recognizer=tiny, name="tiny", **limits):
        ready = threading.Event()
        ports = []
        made = {}

        async def main():
            state = ServerState(
                recognizer,
                access or Access("127.0.0.1"),
                name,
                "en",
                EndpointRules.normal(),
                Limits(**limits),
            )

            def listening(port):
                ports.append(port)
                ready.set()

            config = uvicorn_config(state, "127.0.0.1", 0)
            made["state"], made["server"] = state, Server(config, state, listening)
            await made["server"].serve()

        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        assert ready.wait(30)
        running = Running(ports[0], made["state"], made["server"])
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
