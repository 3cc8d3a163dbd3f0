"""The programs in examples/ run on recordings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(name, *arguments):
    result = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
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
