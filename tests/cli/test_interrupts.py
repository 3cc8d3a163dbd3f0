"""Signals and killed processes: finished transcripts remain, and all processes exit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

SAMPLES = Path(__file__).parents[2] / "audio_samples"
RATE = 16_000
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def speech():
    return soundfile.read(SAMPLES / "read.flac", dtype="int16")[0]


@pytest.fixture
def recordings(tmp_path, speech):
    """Two recordings of half an hour and a short one."""
    folder = tmp_path / "talks"
    folder.mkdir()
    long = np.tile(np.concatenate([speech, np.zeros(RATE, np.int16)]), 250)
    for name, samples in (("a", long), ("b", long), ("short", speech)):
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    return folder


def start(*arguments, **rest):
    command = [sys.executable, "-m", "asr_gru", "transcribe", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **rest}
    return subprocess.Popen(command, text=True, start_new_session=True, **pipes)


def children(pid):
    """Return the worker processes, without the helper processes of multiprocessing."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"spawn_main" in command:
            found.append(int(child))
    return found


def wait_for(condition, what, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_signals_end_the_command_and_finished_transcripts_remain(
    recordings, tmp_path, name, status, jobs
):
    """All processes receive the signal twice within 80 ms, as from a terminal."""
    out = tmp_path / "out"
    names = [recordings / f"{name}.wav" for name in ("short", "a", "b")]
    options = ["--jobs", jobs, "--output-dir", out, "--format", "txt", "--format", "json"]
    with start(*options, *names) as process:
        wait_for((out / "short.json").exists, "the short one")
        time.sleep(1.0)  # part of a long recording has been recognised
        workers = children(process.pid)
        assert len(workers) == (jobs if jobs > 1 else 0)
        os.killpg(process.pid, getattr(signal, name))
        time.sleep(0.05)
        os.killpg(process.pid, getattr(signal, name))
        _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert err.startswith("asr-gru: interrupted; 1 of 3 recordings are done")
    assert err.count("\n") == 1
    wait_for(lambda: all(map(is_gone, workers)), "the workers' end", 5.0)
    text = (out / "short.txt").read_text()
    assert json.loads((out / "short.json").read_text())["text"] == " ".join(text.split())
    for path in out.iterdir():
        assert path.name.startswith(("short.", "a.partial.", "b.partial.")), path.name
        assert str(path) in err or path.name.startswith("short.")
        if path.suffix == ".json":
            json.loads(path.read_text())
    if name == "SIGINT":
        assert (out / "a.partial.txt").read_text().strip()


def test_a_killed_worker_loses_only_its_recording(recordings, tmp_path, speech):
    out = tmp_path / "out"
    soundfile.write(recordings / "c.wav", speech, RATE)
    soundfile.write(recordings / "d.wav", speech, RATE)
    (recordings / "b.wav").unlink()
    names = [recordings / f"{name}.wav" for name in ("a", "c", "d", "short")]
    with start("--jobs", 2, "--output-dir", out, *names) as process:
        wait_for((out / "short.txt").exists, "the short ones")
        wait_for(lambda: len(children(process.pid)) == 1, "the idle worker's end")
        (worker,) = children(process.pid)
        maps = Path(f"/proc/{worker}/maps")
        wait_for(lambda: "language.bin" in maps.read_text(), "the model")
        time.sleep(1.0)  # loaded, and part of the long recording has been recognised
        os.kill(worker, signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(f"asr-gru: {recordings / 'a.wav'}: the worker process died")
    assert "SIGKILL" in err
    assert err.count("\n") == 1
    assert {path.name for path in out.iterdir()} - {"a.partial.txt"} == {
        f"{name}.txt" for name in ("c", "d", "short")
    }


def test_a_crash_in_a_batch_loses_only_the_recording_that_caused_it(recordings, tmp_path):
    out = tmp_path / "out"
    names = [recordings / f"{name}.wav" for name in ("short", "a", "b")]
    with start("--jobs", 2, "--batch-size", 2, "--output-dir", out, *names) as process:
        wait_for((out / "short.txt").exists, "the short one")
        for worker in children(process.pid)[:1]:  # that of short and a, or of b
            os.kill(worker, signal.SIGKILL)
        time.sleep(1.0)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert (out / "short.txt").read_text().strip()


def test_workers_exit_when_the_parent_is_killed(recordings, tmp_path):
    out = tmp_path / "out"
    names = [recordings / f"{name}.wav" for name in ("short", "a", "b")]
    with start("--jobs", 2, "--output-dir", out, *names, stderr=subprocess.DEVNULL) as process:
        wait_for((out / "short.txt").exists, "the short one")
        workers = children(process.pid)
        process.kill()
        process.wait(30)
    assert workers
    wait_for(lambda: all(map(is_gone, workers)), "the workers' end", 10.0)


def feed(process, speech, times):
    """Write speech to the pipe; nearly all of it has been read when this returns."""
    pause = np.zeros(2 * RATE, np.int16)
    for _ in range(times):
        process.stdin.buffer.write(np.concatenate([speech, pause]).tobytes())
    process.stdin.flush()


def test_segments_are_printed_before_a_pipe_ends(speech):
    options = ["--raw-rate", RATE, "--endpoint", "0.4", "-"]
    with start(*options, stdin=subprocess.PIPE) as process:
        feed(process, speech, 4)
        assert process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; 0 of 1 recordings are done; - up to 0:00:" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("form", ["json", "srt"])
def test_interrupted_subtitles_are_printed_up_to_the_last_segment(speech, form):
    options = ["--raw-rate", RATE, "--endpoint", "0.4", "--format", form, "-"]
    with start(*options, stdin=subprocess.PIPE) as process:
        feed(process, speech, 8)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "was printed" in err
    if form == "json":
        assert json.loads(out)["segments"]
    else:
        assert out.startswith("1\n00:00:0")
