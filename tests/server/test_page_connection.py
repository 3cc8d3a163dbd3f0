"""The page's connection to the server, in node."""

import pytest

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
SESSION = """
const track = { getSettings: () => ({ sampleRate: 100 }), stop: () => {} };
const devices = { getUserMedia: async () => ({ getAudioTracks: () => [track] }) };
Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: devices } });
globalThis.AudioContext = class {
  sampleRate = 100; audioWorklet = { addModule: async () => {} };
  createMediaStreamSource() { return { connect: () => {} }; }
  async resume() {}
};
let port;
globalThis.AudioWorkletNode = class { port = port = {}; connect() {} };
const { Session } = await import('./session.js');
const nothing = () => {}; const said = []; const heard = [];
const session = new Session({
  settings: () => ({ device: '', endpoint: 'normal', options: {}, key: null }),
  on: {
    state: nothing, sound: nothing, lag: nothing, opened: nothing,
    say: (sentence) => said.push(sentence),
    event: ({ type, text }) => heard.push(`${type} ${text}`), cut: () => heard.push('cut'),
  },
});
await session.start();
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


def test_options_are_in_the_start_message(node):
    log = node(
        SOCKET + "globalThis.WebSocket.prototype.send = (text) => log.push(JSON.parse(text));"
        "new Connection({ rate: 100, endpoint: 'normal', key: null, options: { written: true },"
        " on: { state: () => {} } }); socket.onopen();" + SHOW
    )
    assert log[-1]["written"] is True
    assert log[-1]["type"] == "start"


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


def test_what_a_slow_server_has_not_finished_is_cut(node):
    log = node(
        SOCKET + BEGUN + "say({ type: 'partial', start_s: 0, end_s: 1 });"
        "const done = connection.finish(); wake(); log.push(await done);" + SHOW
    )
    assert log[-5:] == ["end", 30_000, "cut", "closed", False]


def test_other_options_lose_no_sound_that_waits_for_the_server(node):
    log = node(
        SOCKET
        + SESSION
        + "socket.onclose({ code: 1006 }); port.onmessage({ data: new Int16Array(100) });"
        + "session.changeOptions();"
        + BEGUN
        + "port.onmessage({ data: new Int16Array(50) });"
        + SHOW
    )
    assert log[-3:] == ["start", 100, 50]


def test_lost_sound_is_still_reported_when_the_server_is_back(node):
    said = node(
        SOCKET + SESSION + "for (let second = 0; second < 33; second += 1)"
        "  port.onmessage({ data: new Int16Array(100) });"
        + BEGUN
        + "console.log(JSON.stringify(said))"
    )
    assert "3 s of it are lost" in said[-1]


def test_words_before_other_options_are_kept_when_the_server_goes_away(node):
    heard, said = node(
        SOCKET
        + SESSION
        + BEGUN
        + "say({ type: 'partial', text: 'so far', stable: '', start_s: 0, end_s: 1 });"
        "const before = socket; const changing = session.changeOptions();"
        + BEGUN
        + "before.onclose({ code: 1006 }); await changing;"
        "console.log(JSON.stringify([heard, said]))"
    )
    assert heard == ["partial so far", "final so far"]
    assert said[-1].startswith("The server went away")


def test_words_that_were_cut_before_options_changed_are_not_repeated(node):
    heard = node(
        SOCKET
        + SESSION
        + BEGUN
        + "say({ type: 'partial', text: 'so far', stable: '', start_s: 0, end_s: 1 });"
        "socket.onclose({ code: 1006 }); wake();"
        + BEGUN
        + "const before = socket; const changing = session.changeOptions();"
        + BEGUN
        + 'before.onmessage({ data: \'{"type": "end"}\' });'
        "before.onclose({ code: 1000 }); await changing;"
        "console.log(JSON.stringify(heard))"
    )
    assert heard == ["partial so far", "cut"]


def test_a_server_that_is_away_at_the_start_is_not_taken_for_a_bad_microphone(node):
    said = node(
        SOCKET + SESSION + "const { openMicrophone } = await import('./microphone.js');"
        "const { ofMicrophone } = await import('./sentences.js');"
        "const failed = new DOMException('', 'AbortError'); const Context = AudioContext;"
        "globalThis.AudioContext = class extends Context {"
        "  audioWorklet = { addModule: () => Promise.reject(failed) }; async close() {}"
        "};"
        "console.log(JSON.stringify(await openMicrophone('').catch(ofMicrophone)))"
    )
    assert said.startswith("The server does not answer. Press Start again")


def test_an_endpoint_that_changes_before_the_server_is_ready_is_sent(node):
    log = node(
        SOCKET + "socket.send = (text) => log.push(JSON.parse(text)); socket.onopen();"
        "connection.change('long'); say({ type: 'ready' });" + SHOW
    )
    assert log[-1] == {"type": "endpoint", "mode": "long"}
