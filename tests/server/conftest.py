"""Servers in a thread of this process, and the page in node and in Chromium."""

import asyncio
import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import soundfile
import uvicorn
import websockets

from asr_gru.recognizer import Recognizer
from asr_gru.server.access import Access
from asr_gru.server.context import ServerContext
from asr_gru.server.limits import Limits
from asr_gru.server.run import Server, listen
from asr_gru.streaming.endpoint import EndpointRules
from tests.server.page_files import NODE, ROOT, SCRIPTS
from tests.server.pages import CHROMIUM, opened, served


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


@pytest.fixture
def node(tmp_path):
    """Run a script, which may import the page's modules, and return the JSON it prints."""
    if NODE is None:
        pytest.skip("node is not installed")
    for path in SCRIPTS:
        shutil.copy(path, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')

    def run(script, given=None):
        done = subprocess.run(
            [NODE, "--input-type=module", "-e", script],
            cwd=tmp_path,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def playwright():
    for needed in ("fastapi", "uvicorn", "websockets", "multipart", "prometheus_client"):
        pytest.importorskip(needed)
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    api.expect.set_options(timeout=60_000)
    with api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def expect(playwright):
    from playwright.sync_api import expect

    return expect


@pytest.fixture(scope="module")
def microphone(tmp_path_factory):
    """Speech and a pause, in a loop."""
    speech, rate = soundfile.read(ROOT / "audio_samples" / "synthetic.wav")
    path = tmp_path_factory.mktemp("microphone") / "mic.wav"
    soundfile.write(path, np.concatenate([speech, np.zeros(2 * rate)]), rate, "PCM_16")
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory, playwright):
    with served(tmp_path_factory.mktemp("server")) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def page(playwright, microphone):
    with opened(playwright, microphone) as found:
        yield found
