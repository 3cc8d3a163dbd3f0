"""The programs in examples/ run on recordings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._processes import serving

ROOT = Path(__file__).parents[1]


def start(name, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "examples" / name, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def run(name, *arguments):
    result = start(name, *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_captions_to_file(tmp_path):
    out = run("captions_to_file.py", tmp_path / "a.srt", "audio_samples/read.flac")
    first, *lines = out.splitlines()
    assert first.startswith("listening to audio_samples/read.flac")
    written = (tmp_path / "a.srt").read_text().split()
    assert lines
    assert all(word in written for line in lines for word in line.split()[1:])


def test_voice_commands(tmp_path):
    out = run("voice_commands.py", "audio_samples/read.flac")
    assert "not a command: " in out


def test_websocket_client():
    pytest.importorskip("uvicorn")
    with serving() as server:
        address = f"ws://127.0.0.1:{server.port}/v1/stream"
        out = run("websocket_client.py", "audio_samples/read.flac", address)
        refused = start("websocket_client.py", "audio_samples/read.flac", f"{address}/no")
    assert out.splitlines()[-1] == "final why do i know you"
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("captions_to_file.py", "a.unknown", "audio_samples/read.flac"), "error: a.unknown: "),
        (("captions_to_file.py", "a.srt", "missing.wav"), "error: missing.wav: "),
        (("voice_commands.py", "missing.wav"), "error: missing.wav: "),
        (("websocket_client.py", "missing.wav", "ws://127.0.0.1:1"), "error: Error opening"),
        (("websocket_client.py", "audio_samples/read.flac", "ws://127.0.0.1:1"), "error: "),
    ],
)
def test_errors_are_one_line(arguments, message):
    result = start(*arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1
