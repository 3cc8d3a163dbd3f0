"""``asr-gru live``: pipe, files, signals and refusals."""

from __future__ import annotations

import io
import json
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from asr_gru.cli.live import _stop_on_signal
from asr_gru.recognizer import Recognizer
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
    saved, played = (soundfile.read(path, dtype="int16")[0] for path in (tmp_path / "a.wav", READ))
    np.testing.assert_array_equal(saved, played)


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
        while not sound.exists() or sound.stat().st_size < 3 * 2 * 16_000:
            time.sleep(0.1)
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.strip()
    assert path.read_text() == out


def test_a_signal_stops_a_session_whose_pipe_has_no_data():
    samples, rate = soundfile.read(SAMPLES / "long.ogg", dtype="int16", frames=30_000)
    sound = io.BytesIO()
    soundfile.write(sound, samples, rate, format="WAV", subtype="PCM_16")
    header, data = sound.getvalue()[:44], sound.getvalue()[44:]
    with subprocess.Popen(
        [sys.executable, "-m", "asr_gru", "live", "--from-file", "-", "--endpoint", "off"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(header[:40] + b"\xff\xff\xff\xff" + data)
        process.stdin.flush()
        assert b"listening" in process.stderr.readline()
        time.sleep(0.5 + 30_000 / rate)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read().strip()


def test_an_ignored_hangup_does_not_stop_the_session():
    """Under nohup a session goes on when the terminal is closed; other signals still stop it."""
    stops = []
    session = SimpleNamespace(stop=lambda: stops.append(1))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _stop_on_signal(session):
            signal.raise_signal(signal.SIGHUP)
            assert not stops
            signal.raise_signal(signal.SIGTERM)
            assert stops
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


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
