"""What the studies recognise, with a recogniser that records it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from studies import endpoint_state, resampling

RATE = 16_000
SECONDS = (0.5, 0.75)


@pytest.fixture
def heard(monkeypatch) -> list[int]:
    """Return the lengths of what a stand-in for the recogniser is given, in samples."""
    lengths: list[int] = []

    def transcribe(samples, _rate):
        lengths.append(len(samples))
        return SimpleNamespace(text="a word")

    def transcribe_batch(sources, rate, **_options):
        return [(None, transcribe(samples, rate)) for samples in sources]

    recognizer = SimpleNamespace(
        info=SimpleNamespace(sample_rate=RATE),
        transcribe=transcribe,
        transcribe_batch=transcribe_batch,
    )
    for module in (endpoint_state, resampling):
        monkeypatch.setattr(module, "load", lambda _options: recognizer)
    return lengths


@pytest.fixture
def segments(tmp_path) -> str:
    soundfile.write(tmp_path / "whole.wav", np.zeros(4 * RATE), RATE)
    lines = [
        json.dumps({"audio_filepath": "whole.wav", "text": "a", "offset": at, "duration": seconds})
        for at, seconds in enumerate(SECONDS)
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(tmp_path / "list.jsonl")


def test_endpoints_are_studied_on_segments_alone(heard, segments, capsys):
    endpoint_state.main([segments])
    assert heard[-2:] == [round(seconds * RATE) for seconds in SECONDS]
    assert "over 2 words" in capsys.readouterr().out


def test_resampling_is_studied_on_segments_alone(heard, segments):
    resampling.main([segments])
    assert heard[:2] == [round(seconds * RATE) for seconds in SECONDS]
