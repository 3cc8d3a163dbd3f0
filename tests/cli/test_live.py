"""``asr-gru live``: pipe, terminal, files, signals and refusals."""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console, ConsoleDimensions

from asr_gru.cli.live_terminal import Terminal
from asr_gru.cli.screen import clock
from asr_gru.live import Status
from asr_gru.recognizer import Recognizer
from asr_gru.results import Event, Word
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.text import inverse_normalise

SAMPLES = Path(__file__).parents[2] / "audio_samples"
READ = SAMPLES / "read.flac"


@pytest.fixture(scope="module")
def transcript():
    return Recognizer.load().transcribe(READ)


def test_finals_are_written_on_request(run, tmp_path, transcript):
    names = ["a.srt", "a.jsonl"]
    outputs = [argument for name in names for argument in ("--output", tmp_path / name)]
    result = run("live", "--written", "--from-file", READ, *outputs)
    written = inverse_normalise(transcript.text)
    assert written != transcript.text
    assert result.out == written + "\n"
    assert written in (tmp_path / "a.srt").read_text()
    told = json.loads((tmp_path / "a.jsonl").read_text())
    assert (told["text"], told["written"]) == (transcript.text, written)


def test_json_files_contain_alternatives(run, tmp_path, word_model, recording):
    model = ("--model", word_model, "--from-file", recording)
    outputs = [argument for name in ("a.json", "a.jsonl") for argument in ("--output", name)]
    outputs = [tmp_path / one if one.startswith("a.") else one for one in outputs]
    result = run("live", *model, "--alternatives", 3, *outputs)
    assert result.status == 0, result.err
    segments = Recognizer.load(word_model).transcribe(recording, alternatives=3).segments
    expected = [segment.to_dict() for segment in segments]
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert json.loads((tmp_path / "a.json").read_text())["segments"] == expected
    assert max(len(segment["alternatives"]) for segment in expected) > 1


@pytest.mark.parametrize("outputs", [(), ("--output", "a.srt")])
def test_alternatives_without_a_json_file_are_refused(run, tmp_path, monkeypatch, outputs):
    monkeypatch.chdir(tmp_path)
    result = run("live", "--from-file", READ, "--alternatives", 3, *outputs)
    assert result.status != 0
    assert result.err == (
        "asr-gru: --alternatives are written to JSON alone; add --output NAME.jsonl\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_terminal_shows_finals_in_written_form():
    word = Word(text="five", start_s=0.0, end_s=0.4, confidence=0.9)
    percent = Word(text="percent", start_s=0.4, end_s=0.9, confidence=0.9)
    whole = Word(text="5%", start_s=0.0, end_s=0.9, confidence=0.2)
    event = Event(
        kind="final",
        segment=0,
        text="five percent",
        stable="five percent",
        words=(word, percent),
        start_s=0.0,
        end_s=0.9,
        written_words=(whole,),
    )
    shown = Terminal(sys.stdout)._segment(event)
    assert shown.plain.endswith("5%")
    assert any("underline" in str(span.style) for span in shown.spans)


def test_a_played_recording_is_written_to_a_pipe_and_files(run, tmp_path, transcript):
    names = ["a.txt", "a.srt", "a.vtt", "a.json", "a.jsonl"]
    outputs = [argument for name in names for argument in ("--output", tmp_path / name)]
    result = run("live", "--from-file", READ, *outputs, "--save-audio", tmp_path / "a.wav")
    assert result.status == 0
    assert result.out == transcript.text + "\n"
    assert "listening to" in result.err
    assert (tmp_path / "a.txt").read_text() == transcript.text + "\n"
    assert json.loads((tmp_path / "a.json").read_text())["text"] == transcript.text
    assert json.loads((tmp_path / "a.jsonl").read_text())["text"] == transcript.text
    for name in ("a.srt", "a.vtt"):
        assert transcript.words[0].text in (tmp_path / name).read_text()
    assert soundfile.info(tmp_path / "a.wav").frames == soundfile.info(READ).frames


def test_endpoint_model_and_beam_reach_the_session(run, model, recording, monkeypatch):
    calls = []
    import asr_gru.live

    class RecordingSession(asr_gru.live.LiveSession):
        def __init__(self, recognizer, source, rules, **rest):
            calls.append((recognizer.acoustic.info, type(recognizer._pipeline.decoder), rules))
            super().__init__(recognizer, source, rules, **rest)

    monkeypatch.setattr(asr_gru.live, "LiveSession", RecordingSession)
    for more in ([], ["--endpoint", "1.5", "--beam", "7", "--model", model, "--threads", "2"]):
        assert run("live", "--from-file", recording, *more).status == 0
    (info, _, rules), (other_info, decoder, other_rules) = calls
    assert rules == EndpointRules.parse("normal")
    assert other_rules.trailing_s == 1.5
    assert info.vocab_size != other_info.vocab_size
    assert decoder.__name__ == "BeamDecoder"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--device", "0", "--from-file", READ], "--from-file"),
        (["--from-file", "none.wav"], "none.wav"),
        (["--from-file", READ, "--output", "a.doc"], "a.doc"),
        (["--from-file", READ, "--output", "a.txt", "--output", "a.txt"], "twice"),
        (["--from-file", READ, "--save-audio", "a.mp3"], "a.mp3"),
        (["--from-file", READ, "--output", READ.with_name("samples.txt") / "x.txt"], "x.txt"),
        (["--from-file", READ, "--endpoint", "shrt"], "'short'"),
        (["--from-file", READ, "--model", "en-smol"], "en-smol"),
    ],
)
def test_refusals_are_one_line(run, arguments, named):
    result = run("live", *arguments)
    assert result.status in (1, 2)
    assert result.out == ""
    assert result.err.startswith("asr-gru: ")
    assert named in result.err
    assert "Traceback" not in result.err


def test_existing_files_are_refused_before_the_session_starts(run, tmp_path):
    (tmp_path / "a.txt").write_text("precious")
    result = run("live", "--from-file", READ, "--output", tmp_path / "a.txt")
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert "already exists" in result.err


@pytest.fixture
def without_portaudio(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("more", [[], ["--list-devices"], ["--device", "usb"]])
def test_without_portaudio_one_line_says_what_to_install(run, without_portaudio, more):
    result = run("live", *more)
    assert (result.status, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert "apt-get install libportaudio2" in result.err


def test_doctor_reports_missing_portaudio(run, without_portaudio):
    assert "none     microphones: PortAudio is not installed" in run("doctor").out


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_finishes_and_writes_the_open_segment(tmp_path, name):
    path, sound = tmp_path / "a.txt", tmp_path / "a.wav"
    arguments = ["live", "--from-file", SAMPLES / "long.ogg", "--endpoint", "off"]
    arguments += ["--output", path, "--save-audio", sound]
    with subprocess.Popen(
        [sys.executable, "-m", "asr_gru", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert "listening" in process.stderr.readline()
        while not sound.exists() or soundfile.info(sound).duration < 3:
            time.sleep(0.1)
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.strip()
    assert path.read_text() == out


NAMES = ["a.txt", "a.srt", "a.json", "a.jsonl"]


def live_process(folder, stderr):
    """Start a live session of a recording, with short segments, that writes ``NAMES`` and audio."""
    outputs = [argument for name in NAMES for argument in ("--output", folder / name)]
    arguments = ["live", "--from-file", SAMPLES / "long.ogg", "--endpoint", "0.3", *outputs]
    arguments += ["--save-audio", folder / "a.wav"]
    command = [sys.executable, "-m", "asr_gru", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


def test_kill_9_loses_only_the_open_segment(tmp_path):
    with live_process(tmp_path, subprocess.DEVNULL) as process:
        line = process.stdout.readline().strip()
        process.kill()
    assert line in (tmp_path / "a.txt").read_text()
    assert line.split()[0] in (tmp_path / "a.srt").read_text()
    assert json.loads((tmp_path / "a.json").read_text())["segments"][0]["text"] == line
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])["text"] == line
    assert soundfile.info(tmp_path / "a.wav").duration > 1


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
@pytest.mark.parametrize("is_room_again", [True, False])
def test_a_full_disk_is_reported_once_and_the_session_continues(tmp_path, is_room_again):
    """A full disk is simulated by a limit on file sizes, set and lifted from outside."""
    with live_process(tmp_path, subprocess.PIPE) as process:
        lines = [process.stdout.readline()]
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        while not (tmp_path / "a.jsonl").stat().st_size:
            time.sleep(0.02)
        time.sleep(0.2)  # for the next file
        before = {name: (tmp_path / name).read_text() for name in NAMES}
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (30, hard))
        lines.append(process.stdout.readline())
        assert {name: (tmp_path / name).read_text() for name in NAMES} == before
        if is_room_again:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        lines.append(process.stdout.readline())
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    text = "".join([*lines, out])
    assert process.returncode == 1  # at least audio is missing
    assert "Traceback" not in err
    for name in [*NAMES, "a.wav"]:
        line = [line for line in err.splitlines() if f"/{name}: " in line]
        assert "File too large" in line[0]
        assert line[-1].endswith("writing again") == is_room_again
        assert len(line) <= 2  # once at the start and once at the end
    if not is_room_again:
        assert {name: (tmp_path / name).read_text() for name in NAMES} == before
        return
    assert (tmp_path / "a.txt").read_text() == text
    finals = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in finals] == text.splitlines()
    segments = json.loads((tmp_path / "a.json").read_text())["segments"]
    assert [segment["text"] for segment in segments] == text.splitlines()
    subtitles = re.findall(r"^[a-z].*", (tmp_path / "a.srt").read_text(), re.MULTILINE)
    assert " ".join(subtitles).split() == text.split()
    sound, original = (
        soundfile.read(path)[0] for path in (tmp_path / "a.wav", SAMPLES / "long.ogg")
    )
    silent = sound == 0
    original = original[: len(sound)]
    np.testing.assert_allclose(sound[~silent], original[~silent], atol=1e-4)
    assert 0.1 < silent.mean() < 0.9
    assert not silent[-8000:].all()


def test_a_closed_pipe_ends_the_session_and_files_are_complete(tmp_path):
    arguments = ["live", "--from-file", SAMPLES / "long.ogg", "--endpoint", "0.3"]
    with subprocess.Popen(
        [sys.executable, "-m", "asr_gru", *map(str, arguments), "--output", tmp_path / "a.txt"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        line = process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 1
    written = (tmp_path / "a.txt").read_text()
    assert written.startswith(line)
    assert written.count("\n") >= 2


def event(kind, text, stable="", confidence=0.9):
    words = tuple(Word(w, i / 2, i / 2 + 0.4, confidence) for i, w in enumerate(text.split()))
    return Event(kind, 0, text, stable, words, 0.0, words[-1].end_s)


class Window:
    """A terminal with scrollback, emulated by pyte, and the live display in it."""

    def __init__(self, columns, lines, **options):
        pyte = pytest.importorskip("pyte")
        self.emulated = pyte.HistoryScreen(columns, lines, history=1000)
        self.stream = pyte.Stream(self.emulated)
        self.console = Console(
            file=self, width=columns, height=lines, force_terminal=True, highlight=False, **options
        )
        self.written = ""
        self.terminal = Terminal(self, self.console)

    def write(self, text):
        self.written += text
        self.stream.feed(text.replace("\n", "\r\n"))

    def flush(self):
        pass

    @property
    def rows(self):
        """The visible lines, without empty ones at the end."""
        rows = [line.rstrip() for line in self.emulated.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def scrollback_and_rows(self):
        columns = self.emulated.columns
        past = [
            "".join(line[column].data for column in range(columns)).rstrip()
            for line in self.emulated.history.top
        ]
        return [*past, *self.rows]

    def narrow(self, columns):
        """Make the window narrower; its lines are wrapped as in terminals."""
        rows = self.rows
        broken = [row[i : i + columns] for row in rows for i in range(0, len(row) or 1, columns)]
        self.emulated.resize(columns=columns)
        self.emulated.reset()
        self.stream.feed("\r\n".join(broken))
        self.console.size = ConsoleDimensions(columns, self.emulated.lines)


@pytest.fixture(params=[(80, 24), (40, 24), (20, 6)])
def window(request):
    return Window(*request.param)


def test_the_open_segment_is_redrawn_in_place(window):
    terminal, lines = window.terminal, window.emulated.lines
    text = ""
    for number in range(60):
        text = f"{text} word{number}".strip()
        terminal.event(event("partial", text, " ".join(text.split()[:-3])))
        terminal.status(Status(float(number), -20.0, 0.01, 0.1))
        assert len(window.rows) <= lines - 1
        assert f"word{number}" in window.rows[-2]
        assert window.rows[-1].startswith("[#######---]")
        assert window.scrollback_and_rows == window.rows  # nothing has scrolled up
        assert all(len(row) < window.emulated.columns for row in window.rows)
    terminal.event(event("final", text, text))
    terminal.event(event("final", "x" * 200, "x" * 200))
    terminal.note("a note")
    terminal.status(None)
    assert window.rows[-1] == "waiting for the microphone"[: window.emulated.columns - 1]
    terminal.event(event("partial", "the end"))
    terminal.close()
    shown = " ".join(" ".join(window.scrollback_and_rows).split())
    assert shown.startswith(f"[00:00.0] {text} [00:00.0]")
    assert shown.replace(" ", "").count("x" * 200) == 1
    assert shown.endswith("a note [00:00.0] the end")
    assert not window.emulated.cursor.hidden


def test_a_narrowed_window_shows_each_line_once():
    window = Window(80, 24)
    text = " ".join(f"word{number}" for number in range(30))
    window.terminal.event(event("final", "before", "before"))
    window.terminal.event(event("partial", text))
    window.terminal.status(Status(1.0, -20.0, 0.01, 0.1))
    window.narrow(40)
    window.terminal.event(event("partial", text + " more"))
    window.terminal.event(event("final", text + " more", text + " more"))
    window.terminal.close()
    shown = " ".join(" ".join(window.scrollback_and_rows).split())
    assert shown == f"[00:00.0] before [00:00.0] {text} more"


def test_unstable_words_are_dim_and_uncertain_ones_underlined():
    window = Window(80, 24, color_system="standard")
    window.terminal.event(event("partial", "one two", "one"))
    assert "one \x1b[2mtwo\x1b[0m" in window.written
    window.terminal.event(event("final", "three", "three", confidence=0.4))
    assert "\x1b[4mthree\x1b[0m" in window.written
    window.terminal.status(None)
    assert "\x1b[2mwaiting for the microphone\x1b[0m" in window.written
    window.terminal.note("a note")
    assert "\x1b[33ma note\x1b[0m" in window.written


def test_no_color_removes_colours_but_keeps_dim_and_underline():
    window = Window(80, 24, color_system="standard", no_color=True)
    window.terminal.note("a note")
    window.terminal.event(event("final", "three", "three", confidence=0.4))
    assert "\x1b[33m" not in window.written
    assert "\x1b[4mthree\x1b[0m" in window.written


def test_escape_sequences_in_words_do_not_reach_the_terminal():
    window = Window(80, 24)
    window.terminal.event(event("final", "\x1b]0;title\x07x", ""))
    assert "\x1b]0" not in window.written
    assert "]0;titlex" in window.rows[0]


def test_digital_silence_is_reported():
    window = Window(80, 24)
    for second in range(5):
        window.terminal.status(Status(float(second), -120.0, 0.0, 0.0))
    assert "muted" not in window.written
    window.terminal.status(Status(5.0, -120.0, 0.0, 0.0))
    assert "muted" in window.rows[-1]


def test_times_are_formatted_compactly():
    assert (clock(3.26), clock(75), clock(3600 + 61.5)) == ("00:03.2", "01:15.0", "1:01:01.5")
