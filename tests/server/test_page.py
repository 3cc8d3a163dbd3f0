"""The page: its files looked at, its modules under node, all of it in a headless Chromium."""

import json
import os
import random
import re
import shutil
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

from asr_gru.endpoint import MODES
from asr_gru.formats import writer
from asr_gru.transcript import Segment, Transcript, Word

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "asr_gru" / "server" / "page"
FILES = sorted(path for path in PAGE.iterdir() if path.suffix in (".html", ".css", ".js"))
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
HTML = (PAGE / "index.html").read_text(encoding="utf-8")
CSS = (PAGE / "page.css").read_text(encoding="utf-8")
KEY = "a-key-of-more-than-sixteen-letters"
NODE = shutil.which("node")
LISTENING = "document.body.dataset.state === 'listening'"
IDLE = "document.body.dataset.state === 'idle'"
SAID = "document.querySelector('#log').innerText.length > 0"


# ---- the files


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_asks_nobody_else_for_anything(path):
    text = path.read_text(encoding="utf-8")
    addresses = re.findall(r"(?:https?|wss?|ftp)://\S*", text)
    assert all(re.match(r"https?://(\$\{host\}|localhost)", found) for found in addresses)
    loaded = re.findall(
        r"""(?:src|href)="([^"]*)"|url\(([^)]*)\)|^import .* from '([^']*)'""", text, re.MULTILINE
    )
    for address in ("".join(found) for found in loaded):
        assert address == "data:," or re.match(r"(/(page/|docs$)|\./)[\w./]*$", address), address


def test_works_under_a_strict_content_security_policy():
    assert not re.search(r"\s(style|on\w+)=", HTML)
    assert "<style" not in HTML
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", HTML))
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\beval\(|new Function|innerHTML|setAttribute\('style'", text)


def test_every_element_that_a_script_wants_is_there():
    ids = re.findall(r'\bid="([^"]+)"', HTML)
    assert len(ids) == len(set(ids))
    wanted = {
        name
        for path in SCRIPTS
        for name in re.findall(r"byId\('([^']+)'\)", path.read_text(encoding="utf-8"))
    }
    assert wanted
    assert wanted <= set(ids)
    for name in re.findall(r'(?:for|aria-labelledby|aria-describedby)="([^"]+)"', HTML):
        assert name in ids


def test_endpoint_modes_are_those_of_the_recogniser():
    options = re.findall(r'<option value="(\w+)"[^>]*>\w+ \(([\d.]+) s\)', HTML)
    shown = {name: float(seconds) for name, seconds in options}
    assert shown == {name: MODES[name].trailing_s for name in ("short", "normal", "long")}


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_is_enough(dark):
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[int(dark)]))
    texts = [("ink", "ground"), ("ink", "sheet"), ("dim", "ground"), ("dim", "sheet")]
    texts += [("on-accent", "accent"), ("on-stop", "stop"), ("on-problem", "problem")]
    texts += [("accent", "ground")]
    marks = [("edge", "sheet"), ("edge", "ground"), ("level", "ground"), ("loud", "ground")]
    marks += [("away", "sheet"), ("accent", "sheet")]
    for least, pairs in ((4.5, texts), (3.0, marks)):
        for front, back in pairs:
            assert _contrast(colours[front], colours[back]) >= least, (front, back)


def _contrast(one, other):
    lights = sorted((_light(one), _light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(colour):
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# ---- the modules under node


@pytest.fixture
def node(tmp_path):
    """Return what a script prints as JSON; it may import the page's modules."""
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


READ = "import { readFileSync } from 'node:fs'; const given = JSON.parse(readFileSync(0));"


def _transcript(seed):
    rng = random.Random(seed)
    texts = ["a", "the", "<b>", "R&D", "naïve", "𝒳𝒴", "w" * 50, "considerable", "it's", "nine"]
    now, segments = rng.uniform(0, 4000), []
    for number in range(rng.randrange(5)):
        words = []
        for _ in range(rng.randrange(1, 30)):
            start = now + rng.choice([0, 0.02, 0.3, 0.7])
            now = start + rng.choice([0.05, 0.2, 0.5, 3.0])
            words.append(Word(rng.choice(texts), round(start, 3), round(now, 3), rng.random()))
            now = words[-1].end_s
        text = " ".join(word.text for word in words)
        span = words[0].start_s, words[-1].end_s
        segments.append(Segment(number, text, *span, tuple(words)))
    return Transcript(tuple(segments), round(now + rng.choice([0, 0.4, 2.0]), 3))


def _part(transcript):
    return {
        "name": "talk",
        "duration_s": transcript.duration_s,
        "segments": [
            {
                "id": segment.id,
                "text": segment.text,
                "start_s": segment.start_s,
                "end_s": segment.end_s,
                "words": [
                    {name: getattr(word, name) for name in Word.__slots__} for word in segment.words
                ],
            }
            for segment in transcript.segments
        ],
    }


def test_formats_are_those_of_the_package(node):
    transcripts = [_transcript(seed) for seed in range(40)]
    written = node(
        READ + "import { FORMATS } from './formats.js';"
        "console.log(JSON.stringify(given.map((part) => Object.fromEntries("
        "Object.entries(FORMATS).map(([name, { write }]) => [name, write(part)])))))",
        [_part(transcript) for transcript in transcripts],
    )
    for transcript, files in zip(transcripts, written, strict=True):
        assert set(files) == {"txt", "srt", "vtt", "json"}
        for name in ("txt", "srt", "vtt"):
            assert files[name] == writer(name)(transcript, "talk")
        assert json.loads(files["json"]) == json.loads(writer("json")(transcript, "talk"))


def test_clock_is_for_reading(node):
    seconds = [0, 59.9, 60, 3599, 3600, 36_061]
    shown = node(
        READ
        + "import { clock } from './formats.js'; console.log(JSON.stringify(given.map(clock)))",
        seconds,
    )
    assert shown == ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01"]


def test_times_go_on_over_gaps(node):
    """A stream begun at 10 s of the page, whose sound from 12 s to 15 s was dropped."""
    shown = node(
        "import { Timeline } from './connection.js'; const line = new Timeline();"
        "line.add(10, 1); line.add(11, 1); line.add(15, 1); line.add(16, 1);"
        "console.log(JSON.stringify([0, 1.5, 1.9, 2, 3.5].map((time) => line.toPage(time))))"
    )
    assert shown == pytest.approx([10, 11.5, 11.9, 15, 16.5])


def test_words_of_an_upload_go_to_their_segments(node):
    answer = {
        "duration": 9.0,
        "segments": [
            {"start": 1.0, "end": 2.0, "text": " one two"},
            {"start": 5.0, "end": 6.0, "text": "three"},
        ],
        "words": [
            {"word": "one", "start": 1.0, "end": 1.4, "confidence": 0.25},
            {"word": "two", "start": 1.5, "end": 2.0, "confidence": 0.9},
            {"word": "three", "start": 5.0, "end": 6.0},
        ],
    }
    part = node(
        READ + "import { toPart } from './uploads.js';"
        "console.log(JSON.stringify(toPart('talk.wav', given)))",
        answer,
    )
    assert [segment["text"] for segment in part["segments"]] == ["one two", "three"]
    assert [[w["text"] for w in s["words"]] for s in part["segments"]] == [
        ["one", "two"],
        ["three"],
    ]
    assert part["segments"][0]["words"][0]["confidence"] == 0.25
    assert part["duration_s"] == 9.0


def test_every_error_of_the_server_has_a_sentence(node):
    limits = pytest.importorskip("asr_gru.server.limits")
    codes = [*limits.CLOSE_CODES, "message_too_big", "gone"]
    sentences = node(
        READ + "import { ofServer } from './sentences.js';"
        "console.log(JSON.stringify(given.map((code) => ofServer({ code, message: 'why' }))))",
        codes,
    )
    assert len(set(sentences)) == len(codes)
    assert not [one for one in sentences if one.startswith("The server reports")]


SOCKET = """
const log = []; const timers = [];
globalThis.window = { location: { href: 'https://talk.test/' } };
globalThis.setInterval = () => 0; globalThis.clearInterval = () => {};
globalThis.setTimeout = (act, ms) => timers.push([act, ms]);
globalThis.clearTimeout = (number) => { if (number) timers[number - 1] = null; };
let socket;
globalThis.WebSocket = class {
  constructor(url) { log.push(`open ${url}`); socket = this; this.bufferedAmount = 0; }
  send(data) { log.push(typeof data === 'string' ? JSON.parse(data).type : data.length); }
  close() {}
};
const say = (message) => socket.onmessage({ data: JSON.stringify(message) });
const wake = () => { const [act, ms] = timers.pop(); log.push(ms); act(); };
const { Connection } = await import('./connection.js');
const connection = new Connection({ rate: 100, endpoint: 'normal', key: null, on: {
  state: (name, problem) => log.push(problem ? `${name} ${problem.code}` : name),
  event: ({ type, start_s: startS }) => log.push(`${type} ${startS}`),
  lag: () => {}, cut: () => log.push('cut'), dropped: (seconds) => log.push(`dropped ${seconds}`),
} });
"""
BEGUN = "socket.onopen(); say({ type: 'ready' });"
SHOW = "console.log(JSON.stringify(log))"


def test_connection_is_opened_again_and_loses_little(node):
    log = node(
        SOCKET + BEGUN + "connection.offer(new Int16Array(100), 0);"
        "say({ type: 'end' }); say({ type: 'error', code: 'shutting_down' });"
        "socket.onclose({ code: 1012 });"
        "connection.offer(new Int16Array(100), 1);"
        "for (let turn = 0; turn < 7; turn += 1) { wake(); socket.onclose({ code: 1006 }); }"
        "wake();" + BEGUN + "say({ type: 'final', start_s: 0.5, end_s: 1 });"
        "const done = connection.finish(); say({ type: 'end', audio_s: 1 });"
        "socket.onclose({ code: 1000 }); log.push(await done);" + SHOW
    )
    url = "open wss://talk.test/v1/stream"
    begun = ["connecting", url, "start", "listening", 100]
    lost = ["cut", "reconnecting shutting_down"]
    tries = [
        entry
        for wait in (500, 1000, 2000, 4000, 8000, 10_000, 10_000)
        for entry in (wait, url, "cut", "reconnecting gone")
    ]
    again = [10_000, url, "start", "listening", 100, "final 1.5", "end", "cut", "closed", True]
    assert log == [*begun, *lost, *tries, *again]


@pytest.mark.parametrize("code", ["unauthorized", "bad_message", "bad_audio", "message_too_big"])
def test_connection_gives_up_where_trying_again_is_no_use(node, code):
    log = node(
        SOCKET + f"socket.onopen(); say({{ type: 'error', code: '{code}' }});"
        "socket.onclose({ code: 1008 });" + SHOW
    )
    assert log[-2:] == ["cut", f"closed {code}"]


def test_connection_keeps_half_a_minute_of_sound(node):
    log = node(
        SOCKET + "for (let second = 0; second < 33; second += 1)"
        "  connection.offer(new Int16Array(100), second);"
        + BEGUN
        + "say({ type: 'final', start_s: 1, end_s: 2 });"
        + SHOW
    )
    assert log.count("dropped 1") == 3
    assert log.count(100) == 30
    assert log[-1] == "final 4"


def test_stop_while_the_server_is_away_ends_at_once(node):
    log = node(
        SOCKET + "socket.onclose({ code: 1006 }); log.push(await connection.finish());" + SHOW
    )
    assert log[-3:] == ["reconnecting gone", "closed", False]


# ---- all of it


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
    from tests.server import browser

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
