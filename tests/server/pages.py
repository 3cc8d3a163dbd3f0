"""Pages in Chromium, with a file as their microphone, and servers for them."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.server.page_files import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SAID = "document.querySelector('#log').innerText.length > 0"


@contextlib.contextmanager
def opened(playwright, microphone, *, grants=True, hosts=None):
    """Yield a page of its own browser; ``page.problems`` holds what a developer would see in red.

    Args:
        playwright: a running Playwright.
        microphone: wav file that the browser takes for its microphone.
        grants: whether the user allows the microphone.
        hosts: rules for names, as ``MAP voice.test 127.0.0.1``.
    """
    flags = [
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    ]
    flags += ["--use-fake-ui-for-media-stream"] if grants else []
    flags += [f"--host-resolver-rules={hosts}"] if hosts else []
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
    try:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: note(page, message))
        yield page
    finally:
        browser.close()


def note(page, message):
    """Keep an error or a warning."""
    if message.type in ("error", "warning"):
        page.problems.append(f"{message.text} ({message.location.get('url')})")


def saved(page, form):
    """Save the transcript in a format, and return the file's text."""
    with page.expect_download() as download:
        page.click(f"[data-format={form}]")
    assert download.value.suggested_filename == f"transcript.{form}"
    return Path(download.value.path()).read_text(encoding="utf-8")


def wait_for(page, expression, seconds=60):
    """Wait until a JavaScript expression is true.

    ``page.wait_for_function`` compiles its expression in the page, which the page's content
    security policy forbids.
    """
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"still not: {expression}; {page.problems}"
        page.wait_for_timeout(100)


@contextlib.contextmanager
def served(folder, *, port=None, key=None):
    """Run the server and yield its port."""
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    log = (folder / "server.log").open("ab")
    environment = {**os.environ, **({"ASR_GRU_API_KEY": key} if key else {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "asr_gru", "serve", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=log,
    )
    try:
        wait_until_well(process, port, folder)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def wait_until_well(process, port, folder):
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            log = (folder / "server.log").read_text()
            assert process.poll() is None, f"the server ended: {log}"
            assert time.monotonic() < deadline, f"the server does not answer: {log}"
            time.sleep(0.2)


def until(page, state):
    """Wait until the page is in a state."""
    page.wait_for_selector(f"body[data-state={state}]")
