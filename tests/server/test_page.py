"""All of the page in a headless Chromium, with a file as its microphone."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
KEY = "a-key-of-more-than-sixteen-letters"
LISTENING = "document.body.dataset.state === 'listening'"
IDLE = "document.body.dataset.state === 'idle'"
SAID = "document.querySelector('#log').innerText.length > 0"


@contextmanager
def _served(folder, *, port=None, key=None):
    """Run the server; yield its port."""
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
        _wait_until_well(process, port, folder)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_until_well(process, port, folder):
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            said = (folder / "server.log").read_text()
            assert process.poll() is None, f"the server ended: {said}"
            assert time.monotonic() < deadline, f"the server does not answer: {said}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def browser_class():
    for needed in ("fastapi", "uvicorn", "websockets", "multipart", "prometheus_client"):
        pytest.importorskip(needed)
    from benchmarks import browser

    if browser.CHROMIUM is None:
        pytest.skip("chromium is not installed")
    return browser.Browser


@pytest.fixture(scope="module")
def microphone(tmp_path_factory):
    """Speech and a pause, played again and again."""
    speech, rate = soundfile.read(ROOT / "audio_samples" / "synthetic.wav")
    path = tmp_path_factory.mktemp("microphone") / "mic.wav"
    soundfile.write(path, np.concatenate([speech, np.zeros(2 * rate)]), rate, "PCM_16")
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory, browser_class):
    with _served(tmp_path_factory.mktemp("server")) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def browser(browser_class, microphone, tmp_path):
    with browser_class(tmp_path / "browser", microphone=microphone) as opened:
        yield opened


def test_listens_and_saves(browser, address):
    browser.screen(1280, 800)
    browser.open(address)
    browser.wait("document.activeElement.id === 'toggle'")
    browser.key(" ", 32, " ")
    browser.wait("!document.querySelector('#partial').hidden")
    assert browser.run("document.querySelector('#partial').ariaHidden") == "true"
    assert browser.wait("Number(document.querySelector('#level').ariaValueNow) > -60")
    browser.wait(SAID)
    assert "text" not in browser.text("#notice")
    browser.run(
        "{const mode = document.querySelector('#endpoint'); mode.value = 'short';"
        "mode.dispatchEvent(new Event('change'))}"
    )
    browser.wait("document.querySelectorAll('#log li').length >= 2")
    browser.wait("document.querySelector('#lag').textContent.endsWith(' s')")
    browser.click("#toggle")
    browser.wait(IDLE)
    assert browser.text("#partial") == ""
    _check_downloads(browser)
    roles = browser.accessible()
    for expected in (
        ("log", "Finished segments"),
        ("meter", "Level"),
        ("button", "Start"),
        ("combobox", "Microphone"),
        ("combobox", "Ending pause"),
        ("button", "Save as SRT subtitles"),
    ):
        assert expected in roles
    assert browser.text("#notice") == ""
    assert browser.problems == []


def _check_downloads(browser):
    lines = browser.run(
        "[...document.querySelectorAll('#log .said')].map((node) => node.textContent)"
    )
    assert len(lines) >= 2
    files = {}
    for name in ("txt", "srt", "vtt", "json"):
        browser.click(f"[data-format={name}]")
        files[name] = browser.downloaded(f"transcript.{name}")
    assert files["txt"].splitlines() == lines
    assert files["srt"].startswith("1\n00:00:0")
    assert files["vtt"].startswith("WEBVTT\n\n00:00:0")
    document = json.loads(files["json"])
    assert [segment["text"] for segment in document["segments"]] == lines
    times = [word["start_s"] for segment in document["segments"] for word in segment["words"]]
    assert times == sorted(times)


def test_transcribes_files_on_a_phone(browser, address, tmp_path):
    browser.screen(360, 740, dark=True, still=True)
    browser.open(address)
    nonsense = tmp_path / "nonsense.wav"
    nonsense.write_bytes(b"no sound at all")
    samples = ROOT / "audio_samples"
    browser.give_files("#file", samples / "synthetic.wav", nonsense, samples / "read.flac")
    browser.wait("document.querySelectorAll('#log .part').length === 2")
    browser.wait("document.querySelector('#work').hidden")
    assert "nonsense.wav: " in browser.text("#notice")
    assert browser.run("[...document.querySelectorAll('#part option')].map((o) => o.text)") == [
        "synthetic.wav",
        "read.flac",
    ]
    browser.click("[data-format=json]")
    document = json.loads(browser.downloaded("transcript.json"))
    assert document["name"] == "read.flac"
    assert document["segments"][0]["words"]
    assert browser.run("document.documentElement.scrollWidth") <= 360
    browser.screen(320, 568)
    assert browser.run("document.documentElement.scrollWidth") <= 320
    browser.click("#clear")
    browser.wait("!document.querySelector('#empty').hidden")
    assert not browser.run(SAID)
    assert [one for one in browser.problems if "400" not in one] == []


def test_uncertain_words_are_marked(browser, address):
    browser.open(address)
    browser.run(
        "import('/page/transcript.js').then(({ Transcript }) => {"
        "  const node = (id) => document.getElementById(id);"
        "  const nodes = Object.fromEntries(['paper', 'log', 'empty', 'partial', 'stable',"
        "    'unstable', 'legend'].map((id) => [id, node(id)]));"
        "  const word = (text, confidence) => ({ text, confidence, start_s: 61, end_s: 62 });"
        "  window.shown = new Transcript(nodes);"
        "  shown.partial({ text: 'a b c', stable: 'a b', words: [] });"
        "  window.line = [nodes.stable.textContent, nodes.unstable.textContent];"
        "  shown.final({ text: '<i> so so', start_s: 61, end_s: 62,"
        "    words: [word('<i>', 0.9), word('so', 0.51), word('so', 0.49)] });"
        "})"
    )
    assert browser.run("line") == ["a b", " c"]
    assert browser.run("document.querySelector('.said').innerHTML") == (
        '&lt;i&gt; so <span class="unsure" title="uncertain: confidence 0.49">so</span>'
    )
    assert browser.text("#log time") == "1:01"
    assert "Dotted" in browser.text("#legend")


def test_a_refused_microphone_is_explained(browser_class, microphone, address, tmp_path):
    with browser_class(tmp_path / "browser", microphone=microphone, grants=False) as browser:
        browser.call("Browser.setPermission", permission={"name": "microphone"}, setting="denied")
        browser.open(address)
        browser.click("#toggle")
        browser.wait("!document.querySelector('#notice').hidden")
        assert "was not allowed" in browser.text("#notice")
        assert browser.run(IDLE)
        assert browser.problems == []


def test_no_microphone_is_explained(browser, address):
    browser.open(address)
    browser.run(
        "navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('', 'NotFoundError'))"
    )
    browser.click("#toggle")
    browser.wait("!document.querySelector('#notice').hidden")
    assert "No microphone was found" in browser.text("#notice")


def test_a_vanished_microphone_is_waited_for(browser, address):
    browser.open(address)
    browser.run(
        "window.devices = navigator.mediaDevices; window.real = devices.getUserMedia.bind(devices);"
        "devices.getUserMedia = async (wanted) => (window.media = await real(wanted))"
    )
    browser.click("#toggle")
    browser.wait(SAID)
    before = browser.text("#log")
    browser.run(
        "window.list = navigator.mediaDevices.enumerateDevices;"
        "navigator.mediaDevices.enumerateDevices = async () => [];"
        "window.media.getTracks().forEach((track) => {"
        "  track.stop(); track.dispatchEvent(new Event('ended')) })"
    )
    browser.wait("document.body.dataset.state === 'waiting'")
    assert "went away" in browser.text("#notice")
    browser.run(
        "navigator.mediaDevices.enumerateDevices = window.list;"
        "navigator.mediaDevices.dispatchEvent(new Event('devicechange')); 0"
    )
    browser.wait(LISTENING)
    assert browser.text("#log").startswith(before)
    browser.click("#toggle")
    browser.wait(IDLE)
    assert browser.problems == []


def test_a_server_that_goes_and_comes_back(browser, tmp_path):
    with _served(tmp_path) as port:
        browser.open(f"http://127.0.0.1:{port}/")
        browser.click("#toggle")
        browser.wait(SAID)
    browser.wait("document.body.dataset.state === 'reconnecting'")
    before = browser.text("#log")
    assert "again" in browser.text("#notice")
    with _served(tmp_path, port=port):
        browser.wait(LISTENING)
        count = len(before.split("\n"))
        browser.wait(f"document.querySelector('#log').innerText.split('\\n').length > {count}")
        assert browser.text("#log").startswith(before)
        assert browser.text("#notice") == ""
        browser.click("#toggle")
        browser.wait(IDLE)
        browser.click("[data-format=json]")
        segments = json.loads(browser.downloaded("transcript.json"))["segments"]
        starts = [segment["start_s"] for segment in segments]
        assert starts == sorted(starts)
    assert [one for one in browser.problems if "WebSocket" not in one] == []


def test_keys_and_plain_http(browser_class, microphone, tmp_path):
    names = "MAP talk.test 127.0.0.1"
    opened = browser_class(tmp_path / "browser", microphone=microphone, hosts=names)
    with opened as browser, _served(tmp_path, key=KEY) as port:
        browser.open(f"http://127.0.0.1:{port}/")
        browser.click("#toggle")
        for key in ("not the key at all", KEY):
            browser.wait("!document.querySelector('#key-form').hidden")
            assert "key" in browser.text("#notice")
            assert browser.run("document.activeElement.id") == "key"
            browser.type(key)
            browser.key("Enter", 13, "\r")
        browser.wait(SAID)
        assert browser.run("JSON.stringify(localStorage)") == "{}"
        browser.click("#toggle")
        browser.wait(IDLE)

        browser.open(f"http://talk.test:{port}/")
        browser.wait("!document.querySelector('#notice').hidden")
        assert "asr-gru serve --self-signed" in browser.text("#notice")
        assert f"ssh -L {port}:localhost:{port} talk.test" in browser.text("#notice")
        assert browser.run("document.querySelector('#toggle').disabled")
        browser.give_files("#file", ROOT / "audio_samples" / "read.flac")
        browser.wait("!document.querySelector('#key-form').hidden")
        browser.type(KEY)
        browser.click("#key-form button")
        browser.wait(SAID)
        assert [one for one in browser.problems if "401" not in one] == []
