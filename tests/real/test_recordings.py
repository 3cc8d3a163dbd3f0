"""Chunking and batching change nothing with the bundled model on real recordings.

They are checked with the project's samples, and with a manifest after ``--manifest``.
"""

from pathlib import Path

import numpy as np
import pytest

from asr_gru import EndpointRules
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest

SAMPLES = Path(__file__).parents[2] / "audio_samples" / "samples.tsv"
LONGEST_S = 30
BLOCK = 592
"""Samples per block of a stream: 37 ms, which does not divide a step."""


@pytest.fixture(scope="module")
def recordings(request, bundled):
    """Return the samples of each recording, by its path."""
    rate = bundled.info.sample_rate
    manifests = request.config.getoption("--manifest") or [SAMPLES]
    paths = [utterance.path for path in manifests for utterance in read_manifest(path)]
    return {path: read_recording(path, rate)[: LONGEST_S * rate] for path in paths}


@pytest.mark.parametrize("endpoint", ["normal", "off"])
def test_streams_and_transcripts_have_the_same_words_times_and_confidences(
    bundled, recordings, endpoint
):
    rate, rules = bundled.info.sample_rate, EndpointRules.named(endpoint)
    differing = []
    for path, samples in recordings.items():
        stream = bundled.stream(rate, rules)
        events = []
        for first in range(0, len(samples), BLOCK):
            events += stream.feed(samples[first : first + BLOCK])
        events += stream.finish()
        streamed = [event.words for event in events if event.kind == "final"]
        whole = bundled.transcribe(samples, rate, endpoint=rules)
        if streamed != [segment.words for segment in whole.segments]:
            differing.append(path)
    assert not differing
    assert recordings


def test_log_probabilities_are_bit_identical_in_chunks_and_batches(bundled, recordings):
    acoustic = bundled.acoustic
    info, random = acoustic.info, np.random.default_rng(0)
    rows = list(recordings.values())[:64]
    frames = min(map(len, rows)) // info.frame_samples
    batch = np.stack([row[: frames * info.frame_samples] for row in rows])
    together = acoustic.step(batch, acoustic.start(len(batch)))[0]
    for row, shared in zip(batch, together, strict=True):
        alone = acoustic.step(row[None], acoustic.start())[0][0]
        state, chunks, done = acoustic.start(), [], 0
        while done < frames:
            count = min(frames - done, int(random.integers(1, 9)))
            first = done * info.frame_samples
            chunk = row[None, first : first + count * info.frame_samples]
            log_probs, state = acoustic.step(chunk, state)
            chunks.append(log_probs[0])
            done += count
        np.testing.assert_array_equal(np.concatenate(chunks), alone)
        np.testing.assert_array_equal(shared, alone)
