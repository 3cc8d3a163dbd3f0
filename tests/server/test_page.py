"""The whole page in a headless Chromium, with a file as its microphone."""

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

from tests.server.pages import CHROMIUM, opened, saved, wait_for

ROOT = Path(__file__).parents[2]
KEY = "a-key-of-more-than-sixteen-letters"
GRAMMAR = """#JSGF V1.0;
public <leave> = the <vehicle> to the coast leaves at <number.1-12> {hour} in the morning;
<vehicle> = (train | bus) {vehicle};"""
SAID = "document.querySelector('#log').innerText.length > 0"


@contextmanager
def _served(folder, *, port=None, key=None):
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
            log = (folder / "server.log").read_text()
            assert process.poll() is None, f"the server ended: {log}"
            assert time.monotonic() < deadline, f"the server does not answer: {log}"
            time.sleep(0.2)


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
    with _served(tmp_path_factory.mktemp("server")) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def page(playwright, microphone):
    with opened(playwright, microphone) as found:
        yield found


def until(page, state):
    """Wait until the page is in a state."""
    page.wait_for_selector(f"body[data-state={state}]")


def test_the_page_transcribes_the_microphone_and_saves(page, expect, address):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(address)
    expect(page.locator("#toggle")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#partial")).to_be_visible()
    assert page.locator("#partial").get_attribute("aria-hidden") == "true"
    wait_for(page, "Number(document.querySelector('#level').ariaValueNow) > -60")
    wait_for(page, SAID)
    expect(page.locator("#notice")).to_be_hidden()
    page.select_option("#endpoint", "short")
    wait_for(page, "document.querySelectorAll('#log li').length >= 2")
    wait_for(page, "document.querySelector('#lag').textContent.endsWith(' s')")
    page.click("#toggle")
    until(page, "idle")
    assert page.inner_text("#partial") == ""
    _check_files(page)
    for role, name in (
        ("log", "Finished segments"),
        ("meter", "Level"),
        ("button", "Start"),
        ("combobox", "Microphone"),
        ("combobox", "Ending pause"),
        ("button", "Save as SRT subtitles"),
    ):
        expect(page.get_by_role(role, name=name)).to_be_visible()
    expect(page.locator("#notice")).to_be_hidden()
    assert page.problems == []


def _check_files(page):
    lines = page.locator("#log .said").all_text_contents()
    assert len(lines) >= 2
    files = {name: saved(page, name) for name in ("txt", "srt", "vtt", "json")}
    assert files["txt"].splitlines() == lines
    assert files["srt"].startswith("1\n00:00:0")
    assert files["vtt"].startswith("WEBVTT\n\n00:00:0")
    document = json.loads(files["json"])
    assert [segment["text"] for segment in document["segments"]] == lines
    times = [word["start_s"] for segment in document["segments"] for word in segment["words"]]
    assert times == sorted(times)


def test_the_page_transcribes_files_on_a_phone(page, expect, address, tmp_path):
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.goto(address)
    bad = [tmp_path / "nonsense.wav", tmp_path / "nothing.flac"]
    bad[0].write_bytes(b"no sound at all")
    bad[1].write_bytes(b"")
    samples = ROOT / "audio_samples"
    page.set_input_files("#file", [samples / "synthetic.wav", *bad, samples / "read.flac"])
    expect(page.locator("#log .part")).to_have_count(2)
    expect(page.locator("#work")).to_be_hidden()
    failures = page.locator("#failures li").all_text_contents()
    assert [text.partition(":")[0] for text in failures] == ["nonsense.wav", "nothing.flac"]
    assert all(text.endswith(".") and not text.endswith("..") for text in failures)
    names = page.locator("#part option").all_text_contents()
    assert names == ["synthetic.wav", "read.flac"]
    document = json.loads(saved(page, "json"))
    assert document["name"] == "read.flac"
    assert document["segments"][0]["words"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 320, "height": 568})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.click("#clear")
    expect(page.locator("#empty")).to_be_visible()
    assert not page.evaluate(SAID)
    page.set_input_files("#file", samples / "read.flac")
    expect(page.locator("#failures li")).to_have_count(0)
    expect(page.locator("#log .part")).to_have_count(1)
    assert [one for one in page.problems if "400" not in one] == []


@pytest.mark.parametrize("width", [1280, 833, 832, 480, 360, 320])
def test_no_choice_is_cut_off(page, address, width):
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(address)
    lacking = page.evaluate(
        """() => [...document.querySelectorAll('select')].filter((select) => {
          const whole = select.cloneNode(true);
          whole.style.width = 'max-content';
          select.after(whole);
          const cut = select.offsetWidth < whole.offsetWidth;
          whole.remove();
          return cut && !select.hidden;
        }).map((select) => select.id)"""
    )
    assert set(lacking) <= {"device"}  # its names are the system's, as long as they may be
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_uncertain_words_are_marked(page, address):
    page.goto(address)
    page.evaluate(
        """async () => {
          const { Transcript } = await import('/page/transcript.js');
          const ids = ['paper', 'log', 'empty', 'partial', 'stable', 'unstable', 'legend'];
          const nodes = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
          const word = (text, confidence) => ({ text, confidence, start_s: 61, end_s: 62 });
          const shown = new Transcript(nodes);
          shown.partial({ text: 'a b c', stable: 'a b', words: [] });
          window.line = [nodes.stable.textContent, nodes.unstable.textContent];
          shown.final({ text: '<i> so so', start_s: 61, end_s: 62,
            words: [word('<i>', 0.9), word('so', 0.51), word('so', 0.49)] });
        }"""
    )
    assert page.evaluate("line") == ["a b", " c"]
    assert page.inner_html(".said") == (
        '&lt;i&gt; so <span class="unsure" title="uncertain: confidence 0.49">so</span>'
    )
    assert page.inner_text("#log time") == "1:01"
    assert "Dotted" in page.inner_text("#legend")


def test_alternatives_that_are_as_good_as_impossible_are_left_out(page, address):
    page.goto(address)
    page.evaluate(
        """async () => {
          const { Transcript } = await import('/page/transcript.js');
          const ids = ['paper', 'log', 'empty', 'partial', 'stable', 'unstable', 'legend'];
          const nodes = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
          const shown = new Transcript(nodes);
          for (const chances of [[0.9, 0.09, 0.006, 0.004], [1, 0.0001]]) {
            const alternatives = chances.map((probability) => ({ text: 'so', probability }));
            shown.final({ text: 'so', start_s: 0, end_s: 1, words: [], alternatives });
          }
        }"""
    )
    assert page.locator(".others li").all_text_contents() == ["0.09 so", "0.01 so"]
    assert page.locator(".others").count() == 1


def test_options_apply_to_files_and_to_the_microphone(page, expect, address):
    page.goto(address)
    page.click("summary")
    page.check("#written")
    page.check("#alternatives")
    page.set_input_files("#file", ROOT / "audio_samples" / "accent.opus")
    expect(page.locator("#log .others li")).not_to_have_count(0)
    assert page.inner_text("#log .said").startswith("Mandy ")
    (segment,) = json.loads(saved(page, "json"))["segments"]
    assert segment["written"] == page.inner_text("#log .said")
    assert segment["alternatives"][0]["text"] == segment["text"]
    assert all(word["alternatives"] for word in segment["words"])

    page.click("#clear")
    page.uncheck("#alternatives")
    page.fill("#only", GRAMMAR)
    assert page.is_disabled("#hot-words")
    assert page.is_disabled("#omit-uncertain")
    page.click("#toggle")
    expect(page.locator("#log .parse").first).to_have_text('[leave vehicle="train" hour=9]')
    assert page.locator("#log .others").count() == 0
    page.fill("#only", "")
    page.press("#only", "Tab")  # other options while listening
    wait_for(
        page, "[...document.querySelectorAll('#log li')].some((li) => !li.querySelector('.parse'))"
    )
    page.fill("#only", "#JSGF V1.0; public <a> = <b>;")
    page.press("#only", "Tab")
    expect(page.locator("#notice")).to_contain_text("<b> is not defined")
    until(page, "idle")
    assert page.problems == []


def test_a_refused_microphone_is_explained(playwright, expect, microphone, address):
    with opened(playwright, microphone, grants=False) as page:
        page.goto(address)
        page.click("#toggle")
        expect(page.locator("#notice")).to_contain_text("was not allowed")
        until(page, "idle")
        assert page.problems == []


def test_no_microphone_is_explained(page, expect, address):
    page.goto(address)
    page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia = () =>
          Promise.reject(new DOMException('', 'NotFoundError')); }"""
    )
    page.click("#toggle")
    expect(page.locator("#notice")).to_contain_text("No microphone was found")


def test_a_lost_microphone_is_reopened(page, expect, address):
    page.goto(address)
    page.evaluate(
        """() => {
          const devices = navigator.mediaDevices; const real = devices.getUserMedia.bind(devices);
          devices.getUserMedia = async (wanted) => (window.media = await real(wanted));
        }"""
    )
    page.click("#toggle")
    wait_for(page, SAID)
    before = page.inner_text("#log")
    page.evaluate(
        """() => {
          window.list = navigator.mediaDevices.enumerateDevices;
          navigator.mediaDevices.enumerateDevices = async () => [];
          for (const track of window.media.getTracks()) {
            track.stop(); track.dispatchEvent(new Event('ended'));
          }
        }"""
    )
    until(page, "waiting")
    expect(page.locator("#notice")).to_contain_text("went away")
    page.evaluate(
        """() => {
          navigator.mediaDevices.enumerateDevices = window.list;
          navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
        }"""
    )
    until(page, "listening")
    assert page.inner_text("#log").startswith(before)
    page.click("#toggle")
    until(page, "idle")
    assert page.problems == []


def test_the_page_reconnects_when_the_server_is_back(page, expect, tmp_path):
    with _served(tmp_path) as port:
        page.goto(f"http://127.0.0.1:{port}/")
        page.click("#toggle")
        wait_for(page, SAID)
    until(page, "reconnecting")
    before = page.inner_text("#log")
    expect(page.locator("#notice")).to_contain_text("again")
    with _served(tmp_path, port=port):
        until(page, "listening")
        count = len(before.split("\n"))
        wait_for(page, f"document.querySelector('#log').innerText.split('\\n').length > {count}")
        assert page.inner_text("#log").startswith(before)
        expect(page.locator("#notice")).to_be_hidden()
        page.click("#toggle")
        until(page, "idle")
        segments = json.loads(saved(page, "json"))["segments"]
        starts = [segment["start_s"] for segment in segments]
        assert starts == sorted(starts)
    assert [one for one in page.problems if "WebSocket" not in one] == []


def test_keys_are_asked_for_and_plain_http_is_explained(playwright, expect, microphone, tmp_path):
    names = "MAP talk.test 127.0.0.1"
    with opened(playwright, microphone, hosts=names) as page, _served(tmp_path, key=KEY) as port:
        page.goto(f"http://127.0.0.1:{port}/")
        page.click("#toggle")
        for key in ("not the key at all", KEY):
            expect(page.locator("#key-form")).to_be_visible()
            expect(page.locator("#notice")).to_contain_text("key")
            expect(page.locator("#key")).to_be_focused()
            page.keyboard.insert_text(key)
            page.keyboard.press("Enter")
        wait_for(page, SAID)
        assert page.evaluate("JSON.stringify(localStorage)") == "{}"
        page.click("#toggle")
        until(page, "idle")

        page.goto(f"http://talk.test:{port}/")
        expect(page.locator("#notice")).to_contain_text("asr-gru serve --self-signed")
        expect(page.locator("#notice")).to_contain_text(f"ssh -L {port}:localhost:{port} talk.test")
        expect(page.locator("#toggle")).to_be_disabled()
        page.set_input_files("#file", ROOT / "audio_samples" / "read.flac")
        expect(page.locator("#key-form")).to_be_visible()
        page.fill("#key", KEY)
        page.click("#key-form button")
        wait_for(page, SAID)
        assert [one for one in page.problems if "401" not in one] == []


def test_the_documentation_page_shows_every_route(page, expect, address):
    page.goto(f"{address}docs")
    for path in ("/v1/audio/transcriptions", "/v1/models", "/healthz", "/metrics"):
        expect(page.get_by_text(path, exact=True).first).to_be_visible()
    assert page.problems == []
