"""The six files of docs/architecture.md are short, and audio passes through them in order."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import soundfile

from asr_gru import Event, Recognizer
from asr_gru.audio.devices import MicrophoneInfo
from asr_gru.audio.microphone import Microphone
from asr_gru.live import LiveSession
from tests.test_layout import PACKAGE, targets

ROOT = Path(__file__).parents[1]
LONGEST = 300
STEP = re.compile(r"^\d\. `(asr_gru/[\w/]+\.py)`, `([\w.]+)`", re.MULTILINE)
STEPS = STEP.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))


class Device:
    """An audio API with one microphone, which delivers a whole file when it is opened."""

    def __init__(self, samples, rate):
        self.samples, self.rate = samples, rate
        self.active = True

    def devices(self):
        return [MicrophoneInfo(0, "fake", "fake", self.rate, 1, True)]

    def open(self, index, rate, channels, dtype, callback):
        callback(self.samples[:, None])
        return self

    def close(self):
        self.active = False


def test_there_are_six_files_and_each_is_short():
    assert len(STEPS) == 6
    lengths = {
        name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name, _ in STEPS
    }
    assert {name: length for name, length in lengths.items() if length >= LONGEST} == {}


def test_the_live_command_imports_them():
    reached, open_ = set(), ["asr_gru.cli.live"]
    while open_:
        name = open_.pop()
        if name not in reached:
            reached.add(name)
            open_ += targets(name, PACKAGE[name])
    assert {path.removesuffix(".py").replace("/", ".") for path, _ in STEPS} <= reached


def test_audio_passes_through_them_in_order():
    samples, rate = soundfile.read(ROOT / "audio_samples" / "read.flac", dtype="float32")
    recognizer = Recognizer.load(decoder="greedy")
    session = LiveSession(recognizer, Microphone(backend=Device(samples, rate)))
    wanted = {(str(ROOT / path), name) for path, name in STEPS}
    called: list[tuple[str, str]] = []

    def note(frame, kind, _):
        call = (frame.f_code.co_filename, frame.f_code.co_qualname)
        if kind == "call" and call in wanted and call not in called:
            called.append(call)

    sys.setprofile(note)
    try:
        for record in session:
            if isinstance(record, Event):
                session.stop()
    finally:
        sys.setprofile(None)
    assert [(str(Path(path).relative_to(ROOT)), name) for path, name in called] == STEPS
