import numpy as np
import pytest
import soundfile

from benchmarks.memory.live_soak import Clock, RepeatedRecording, Silence, growth


def read_all(source):
    blocks = []
    while True:
        try:
            block = source.read(0.2, 100)
        except EOFError:
            return blocks
        if block is not None:
            blocks.append(block)


def test_a_recording_is_repeated_without_a_gap(tmp_path):
    soundfile.write(tmp_path / "ramp.wav", np.linspace(0.0, 0.5, 8000), 8000)
    clock = Clock()
    began_s = clock()
    blocks = read_all(RepeatedRecording(tmp_path / "ramp.wav", 3.0, clock))
    samples = np.concatenate([block.samples for block in blocks])
    assert len(samples) == 3 * 8000
    assert np.array_equal(samples[:8000], samples[8000:16_000])
    assert clock() - began_s >= 2.9


def test_silence_has_the_requested_duration():
    clock = Clock()
    began_s = clock()
    blocks = read_all(Silence(60.0, 48_000, clock, clock.sleep))
    assert sum(len(block.samples) for block in blocks) == 60 * 48_000
    assert not any(block.samples.any() for block in blocks)
    assert clock() - began_s >= 59.9


def test_growth_is_relative_to_the_first_value():
    assert growth([100.0, 140.0, 103.0]) == pytest.approx(3.0)
