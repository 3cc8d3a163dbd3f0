"""The page's JavaScript modules in node."""

import json
import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from asr_gru.formats import writer
from asr_gru.results import Alternative, Match, Segment, Transcript, Word
from asr_gru.streaming.written_form import with_written

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "asr_gru" / "server" / "page"
FILES = sorted(path for path in PAGE.iterdir() if path.suffix in (".html", ".css", ".js"))
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
NODE = shutil.which("node")


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


READ = "import { readFileSync } from 'node:fs'; const given = JSON.parse(readFileSync(0));"


def _transcript(seed):
    rng = random.Random(seed)
    texts = ["a", "the", "<b>", "R&D", "naïve", "𝒳𝒴", "w" * 50, "considerable", "it's", "nine"]
    now, segments = rng.uniform(0, 4000), []
    match = rng.choice([Match("the", 1), Match(intent="on", slots={"light": True})])
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
        if seed % 3 == 0:
            segments[-1] = with_written(segments[-1])
        if seed % 3 == 1:
            other = Alternative("or", (replace(words[0], text="or"),), -3.5, 0.25)
            segments[-1] = replace(segments[-1], alternatives=(other,), match=match)
    return Transcript(tuple(segments), round(now + rng.choice([0, 0.4, 2.0]), 3))


def _part(transcript):
    """Return a transcript in the form that the page uses."""
    segments = [segment.to_dict() for segment in transcript.segments]
    return {"name": "talk", "duration_s": transcript.duration_s, "segments": segments}


def test_saved_formats_agree_with_the_package(node):
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


def test_the_clock_is_human_readable(node):
    seconds = [0, 59.9, 60, 3599, 3600, 36_061]
    shown = node(
        READ
        + "import { clock } from './formats.js'; console.log(JSON.stringify(given.map(clock)))",
        seconds,
    )
    assert shown == ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01"]


def test_times_continue_across_gaps(node):
    """A stream that starts at 10 s of the page's time and loses the audio from 12 to 15 s."""
    shown = node(
        "import { Timeline } from './connection.js'; const line = new Timeline();"
        "line.add(10, 1); line.add(11, 1); line.add(15, 1); line.add(16, 1);"
        "console.log(JSON.stringify([0, 1.5, 1.9, 2, 3.5].map((time) => line.toPage(time))))"
    )
    assert shown == pytest.approx([10, 11.5, 11.9, 15, 16.5])


def test_words_of_an_upload_are_assigned_to_their_segments(node):
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


def test_optional_fields_are_assigned_to_the_segments_of_an_upload(node):
    answer = {
        "duration": 9.0,
        "segments": [
            {
                "start": 1.0,
                "end": 2.0,
                "text": "5%",
                "spoken": "five percent",
                "written_words": [{"word": "5%", "start": 1.0, "end": 2.0, "confidence": 0.5}],
                "unit": "phrase",
                "parse": {"intent": "set", "slots": {"to": 5}},
                "alternatives": [
                    {"text": "five", "log_prob": -1.0, "probability": 0.4, "words": []}
                ],
            }
        ],
        "words": [
            {
                "word": "five",
                "start": 1.0,
                "end": 1.4,
                "confidence": 0.7,
                "alternatives": [{"word": "nine", "probability": 0.3}],
            },
        ],
    }
    script = (
        "import { toPart } from './uploads.js'; console.log(JSON.stringify(toPart('a', given)))"
    )
    (segment,) = node(READ + script, answer)["segments"]
    assert (segment["text"], segment["written"]) == ("five percent", "5%")
    assert segment["written_words"][0] == {
        "text": "5%",
        "start_s": 1.0,
        "end_s": 2.0,
        "confidence": 0.5,
    }
    assert segment["words"][0]["alternatives"] == [{"text": "nine", "probability": 0.3}]
    assert segment["alternatives"][0]["text"] == "five"
    assert segment["parse"] == {"intent": "set", "slots": {"to": 5}}


NOTHING = {
    "written": False,
    "alternatives": False,
    "omitUncertain": False,
    "hotWords": "",
    "only": " \n# none\n",
}
GRAMMAR = "#JSGF V1.0;\npublic <light> = turn it on;"
CHOSEN: list[tuple[dict[str, object], dict[str, object]]] = [
    ({}, {}),
    ({"written": True, "alternatives": True}, {"written": True, "alternatives": 5}),
    ({"omitUncertain": True}, {"minimum_confidence": 0.5}),
    ({"hotWords": " Siobhan \n# a comment\n\nbob = 9"}, {"hot_words": ["Siobhan", "bob = 9"]}),
    ({"only": "a cat\ntack", "hotWords": "bob"}, {"phrases": ["a cat", "tack"]}),
    ({"only": f"\n{GRAMMAR}\n", "omitUncertain": True}, {"grammar": GRAMMAR}),
]


@pytest.mark.parametrize(("chosen", "options"), CHOSEN)
def test_options_agree_with_the_server(node, chosen, options):
    request = pytest.importorskip("asr_gru.server.decoding_request").DecodingRequest
    found, form = node(
        READ + "import { appendOptions, decodingOptions } from './options.js';"
        "const options = decodingOptions(given); const form = [];"
        "appendOptions({ append: (...field) => form.push(field) }, options);"
        "console.log(JSON.stringify([options, form]))",
        NOTHING | chosen,
    )
    assert found == options
    assert set(found) <= set(request.__struct_fields__)
    lists = [name for name, value in found.items() if isinstance(value, list)]
    assert {name for name, _ in form} == {
        f"{name}[]" if name in lists else name for name in options
    }
    assert len(form) == sum(len(found[name]) if name in lists else 1 for name in found)


def test_options_are_in_the_start_message(node):
    log = node(
        SOCKET + "globalThis.WebSocket.prototype.send = (text) => log.push(JSON.parse(text));"
        "new Connection({ rate: 100, endpoint: 'normal', key: null, options: { written: true },"
        " on: { state: () => {} } }); socket.onopen();" + SHOW
    )
    assert log[-1]["written"] is True
    assert log[-1]["type"] == "start"


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


def test_the_connection_is_reopened_and_loses_little(node):
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
def test_the_connection_gives_up_when_retrying_is_useless(node, code):
    log = node(
        SOCKET + f"socket.onopen(); say({{ type: 'error', code: '{code}' }});"
        "socket.onclose({ code: 1008 });" + SHOW
    )
    assert log[-2:] == ["cut", f"closed {code}"]


def test_the_connection_buffers_half_a_minute_of_audio(node):
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
