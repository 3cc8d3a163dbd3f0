from __future__ import annotations

from pathlib import Path

import pytest

import asr_gru

NAMES = [
    "AudioError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "EndpointRules",
    "Error",
    "Event",
    "MissingExtraError",
    "ModelError",
    "Recognizer",
    "Segment",
    "Stream",
    "Transcript",
    "Word",
    "__version__",
]


def test_the_public_surface_is_this_list():
    assert sorted(asr_gru.__all__) == dir(asr_gru) == NAMES
    for name in NAMES:
        assert getattr(asr_gru, name)
    with pytest.raises(AttributeError, match="'Recogniser'"):
        asr_gru.Recogniser  # noqa: B018


def test_the_version_is_that_of_the_package():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert f'\nversion = "{asr_gru.__version__}"\n' in project
