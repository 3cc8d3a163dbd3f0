"""Microphones of a fake audio API, whose callbacks come in real time or on demand."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from asr_gru.audio.blocks import BlockQueue
from asr_gru.audio.devices import MicrophoneInfo, find_microphone, list_microphones
from asr_gru.audio.microphone import Microphone
from asr_gru.errors import DeviceError

RATE = 8000
BLOCK = 160


class FakeStream:
    def __init__(self, callback, channels, dtype):
        self.callback, self.channels, self.dtype = callback, channels, dtype
        self.active = True

    def deliver(self, count=BLOCK, value=0.5):
        scale = 32768 if self.dtype == "int16" else 1
        memory = np.full((count, self.channels), value * scale, self.dtype)
        self.callback(memory)
        memory[:] = 0  # devices reuse the memory after the callback

    def close(self):
        self.active = False


class FakeBackend:
    def __init__(self, *devices, accepts=lambda rate, channels, dtype: True):
        self.there = list(devices)
        self.accepts = accepts
        self.asked = []
        self.refreshed = 0
        self.stream = None

    def devices(self):
        return list(self.there)

    def open(self, index, rate, channels, dtype, callback):
        assert index in [device.index for device in self.there]
        self.asked.append((rate, channels, dtype))
        if not self.accepts(rate, channels, dtype):
            raise DeviceError("Invalid sample rate")
        self.stream = FakeStream(callback, channels, dtype)
        return self.stream

    def refresh(self):
        self.refreshed += 1


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def device(index, name="USB Microphone", *, host="ALSA", rate=RATE, channels=1, default=False):
    return MicrophoneInfo(index, name, host, rate, channels, default)


THREE = (
    device(0, "Laptop Array (hw:0,0)", default=True),
    device(3, "USB Microphone (hw:1,0)"),
    device(4, "USB Camera (hw:2,0)"),
)


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 0), (3, 3), ("camera", 4), ("USB MIC", 3), ("laptop", 0)]
)
def test_a_microphone_is_found_by_number_part_of_name_or_default(wanted, index):
    assert find_microphone(THREE, wanted).index == index


@pytest.mark.parametrize(
    ("wanted", "named"),
    [("usb", "3 (USB Microphone (hw:1,0), ALSA), 4"), (7, "number 7"), ("phone x", "'phone x'")],
)
def test_missing_and_ambiguous_devices_are_refused_with_the_available_ones(wanted, named):
    with pytest.raises(DeviceError) as error:
        find_microphone(THREE, wanted)
    assert named in str(error.value)
    assert "4 (USB Camera" in str(error.value)


def test_complete_names_take_precedence_then_the_default_host_api():
    both = [device(0, "Mic", host="MME", default=True), device(1, "Mic", host="WASAPI")]
    assert find_microphone(both, "mic").index == 0
    assert find_microphone(both, "mic, wasapi").index == 1
    assert find_microphone([*both, device(2, "Mic 2", host="MME")], "mic").index == 0
    with pytest.raises(DeviceError, match="no microphone is connected"):
        find_microphone([])


def test_a_device_is_opened_at_its_default_format():
    backend = FakeBackend(device(0, rate=48_000, channels=2))
    microphone = Microphone(backend=backend)
    assert backend.asked == [(48_000, 2, "float32")]
    assert microphone.sample_rate == 48_000
    assert microphone.description == "USB Microphone, 48000 Hz, 2 channels, float32"


def test_a_device_with_many_channels_is_opened_with_one():
    backend = FakeBackend(device(0, channels=32), accepts=lambda rate, n, dtype: n == 32)
    Microphone(backend=backend)
    assert [n for _, n, dtype in backend.asked if dtype == "float32"] == [1, 2, 32]


def test_refused_formats_lead_to_the_next_one_and_are_reported():
    backend = FakeBackend(
        device(0, rate=192_000, channels=2),
        accepts=lambda rate, channels, dtype: (rate, channels, dtype) == (44_100, 1, "int16"),
    )
    microphone = Microphone(backend=backend)
    assert backend.asked[:4] == [
        (192_000, 2, "float32"),
        (192_000, 2, "int16"),
        (192_000, 1, "float32"),
        (192_000, 1, "int16"),
    ]
    assert microphone.description == (
        "USB Microphone, 44100 Hz, 1 channel, int16 "
        "(its default of 192000 Hz was refused: Invalid sample rate)"
    )
    backend.stream.deliver(value=-0.25)
    np.testing.assert_array_equal(microphone.read(0).samples, np.full(BLOCK, -0.25, np.float32))


def test_a_device_without_a_usable_format_is_refused_in_one_line():
    backend = FakeBackend(device(0), accepts=lambda *_: False)
    with pytest.raises(DeviceError, match=r"'USB Microphone' cannot be opened \(Invalid sample"):
        Microphone(backend=backend)


def test_blocks_are_complete_mono_and_have_their_arrival_time():
    clock = Clock()
    backend = FakeBackend(device(0, channels=2))
    microphone = Microphone(backend=backend, clock=clock)
    assert microphone.read(0) is None
    clock.now += 0.02
    backend.stream.deliver()
    backend.stream.deliver(value=float("nan"))
    block = microphone.read(0, min_samples=2 * BLOCK)
    assert block.samples.tolist() == [0.5] * BLOCK + [0.0] * BLOCK
    assert block.arrived_s == clock.now
    assert block.dropped == 0
    backend.stream.deliver()
    assert microphone.read(0, min_samples=BLOCK + 1) is None


def test_the_queue_holds_thirty_seconds_and_counts_dropped_samples():
    backend = FakeBackend(device(0))
    microphone = Microphone(backend=backend)
    for second in range(35):
        backend.stream.deliver(RATE, value=second / 64)
    block = microphone.read(0)
    assert len(block.samples) == 30 * RATE
    assert block.dropped == 5 * RATE
    assert block.samples[0] == 5 / 64
    backend.stream.deliver()
    assert microphone.read(0).dropped == 0


def test_the_queue_keeps_a_single_block_of_any_size():
    queue = BlockQueue(10)
    queue.put(np.zeros((50, 1), np.float32))
    assert len(queue.take(0, min_samples=1000)[0]) == 50


@pytest.mark.parametrize("how", ["still", "never began", "ended", "closed"])
def test_a_lost_microphone_returns_the_rest_before_its_error(how):
    clock = Clock()
    backend = FakeBackend(device(0))
    microphone = Microphone(backend=backend, clock=clock)
    if how != "never began":
        backend.stream.deliver()
        assert len(microphone.read(0).samples) == BLOCK
        backend.stream.deliver()
    clock.now += 0.9
    assert microphone.read(0, min_samples=10 * BLOCK) is None
    clock.now += 0.2
    if how == "ended":
        clock.now -= 0.2
        backend.stream.active = False
    elif how == "closed":
        microphone.close()
        assert not backend.stream.active
    elif how == "never began":
        assert microphone.read(0) is None  # sound servers may start slowly
        clock.now += 4
    if how != "never began":
        assert len(microphone.read(0, min_samples=10 * BLOCK).samples) == BLOCK
    with pytest.raises(DeviceError, match="'USB Microphone'"):
        microphone.read(0)


def test_a_microphone_is_reopened_by_name_under_another_number():
    backend = FakeBackend(*THREE)
    microphone = Microphone("microphone", backend=backend)
    backend.there = [THREE[0]]
    for _ in range(3):
        with pytest.raises(DeviceError, match="no microphone matches 'USB Microphone'"):
            microphone.reopen()
    backend.there = [THREE[0], device(5, "USB Microphone (hw:4,0)")]
    again = microphone.reopen()
    assert again.name == "USB Microphone (hw:4,0)"
    assert backend.refreshed == 4


def test_the_default_is_opened_after_three_attempts_or_at_once_if_no_device_was_named():
    backend = FakeBackend(*THREE)
    named, unnamed = Microphone(3, backend=backend), Microphone(backend=backend)
    backend.there = [device(1, "Headset", default=True)]
    assert unnamed.reopen().name == "Headset"
    for _ in range(3):
        with pytest.raises(DeviceError):
            named.reopen()
    assert named.reopen().name == "Headset"


def test_real_time_callbacks_are_short_and_lose_nothing():
    """Callbacks of 20 ms of audio take less than a quarter of that in processor time."""
    backend = FakeBackend(device(0))
    microphone = Microphone(backend=backend)
    spent, signal = [], np.linspace(-1, 1, 50 * BLOCK, dtype=np.float32)[:, None]

    def play():
        for first in range(0, len(signal), BLOCK):
            began = time.thread_time()
            backend.stream.callback(signal[first : first + BLOCK])
            spent.append(time.thread_time() - began)
            time.sleep(BLOCK / RATE)

    thread = threading.Thread(target=play)
    thread.start()
    blocks = []
    while sum(map(len, blocks)) < len(signal):
        block = microphone.read(0.5, min_samples=4 * BLOCK)
        blocks += [block.samples] if block else []
    thread.join()
    np.testing.assert_array_equal(np.concatenate(blocks), signal[:, 0])
    assert sorted(spent)[len(spent) // 2] < 0.25 * BLOCK / RATE


def test_without_portaudio_the_error_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    for act in (list_microphones, Microphone):
        with pytest.raises(DeviceError, match="apt-get install libportaudio2"):
            act()
