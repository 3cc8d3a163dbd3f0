"""Many streams share calls of the acoustic model."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from asr_gru.audio import read_recording
from asr_gru.streaming import batching

SAMPLES = Path(__file__).parents[2] / "audio_samples"
RATE = 16_000


@pytest.fixture(scope="module")
def speech():
    return read_recording(SAMPLES / "telephone.wav", RATE)


@pytest.mark.parametrize("most", [1, 3, 100])
def test_batches_of_any_size_give_the_same_texts(bundled, speech, monkeypatch, most):
    monkeypatch.setattr(batching, "MAX_STEPS", most)
    rows = []
    acoustic = bundled.acoustic
    step = acoustic.step

    def noted(samples, state):
        rows.append(len(samples) * samples.shape[1] / acoustic.info.step_samples)
        return step(samples, state)

    monkeypatch.setattr(acoustic, "step", noted)
    sounds = [speech[start : start + 2 * RATE] for start in range(0, 5 * 4000, 4000)]
    streams = [bundled.stream(RATE).engine for _ in sounds]
    for stream, sound in zip(streams, sounds, strict=True):
        stream.accept(sound)
    events = batching.step_engines(acoustic, streams, (1,))
    assert max(rows) == min(most, len(sounds))
    for stream, found, sound in zip(streams, events, sounds, strict=True):
        alone = bundled.stream(RATE).engine
        alone.accept(sound)
        (expected,) = batching.step_engines(acoustic, [alone], (1,))
        assert found == expected
        assert stream.finish() == alone.finish()


def test_a_long_block_is_not_copied_for_each_step(bundled):
    engine = bundled.stream(RATE).engine
    engine.accept(np.arange(600 * RATE, dtype=np.float32) / (600 * RATE))
    first = engine.take(RATE)
    tracemalloc.start()
    second = engine.take(RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * second.nbytes
    assert (np.diff(np.concatenate((first, second))) > 0).all()
    assert engine.buffered == 598 * RATE
