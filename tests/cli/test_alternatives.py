"""``asr-gru transcribe --alternatives``."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("jobs", [1, 2])
def test_json_contains_alternatives(run, word_model, recording, jobs):
    command = ("transcribe", "--model", word_model, "--jobs", jobs, "--format", "json")
    names = [recording] * jobs
    result = run(*command, "--alternatives", 3, *names)
    assert result.status == 0, result.err
    found = json.loads(result.out)
    for segment in found["segments"]:
        assert segment["alternatives"][0]["text"] == segment["text"]
        assert len(segment["alternatives"]) <= 3
        assert all(word["alternatives"] for word in segment["words"])
    assert max(len(segment["alternatives"]) for segment in found["segments"]) > 1
    without = run(*command, *names)
    assert "alternatives" not in without.out
    assert json.loads(without.out)["text"] == found["text"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--alternatives", 3), "JSON alone; add --format json"),
        (("--alternatives", 3, "--format", "srt"), "JSON alone; add --format json"),
        (("--alternatives", 0, "--format", "json"), "0 is not in the range 1<=x<=20"),
        (("--alternatives", "few", "--format", "json"), "'few' is not a valid integer"),
    ],
)
def test_impossible_counts_and_formats_are_refused(run, recording, options, said):
    result = run("transcribe", *options, recording)
    assert result.status != 0
    assert said in result.err
    assert result.err.count("\n") == 1
