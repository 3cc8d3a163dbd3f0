from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

SAMPLES = Path(__file__).parents[2] / "audio_samples"


@pytest.fixture(scope="module")
def speech():
    return soundfile.read(SAMPLES / "read.flac", dtype="float32")[0]
