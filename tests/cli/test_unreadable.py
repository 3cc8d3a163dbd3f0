"""Unusable recordings are named and left out, and the command continues."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000
BROKEN = ("cut off.wav", "text.flac", "not numbers.wav", "after the end.wav", "empty.wav")


@pytest.fixture
def partly_broken(data):
    """``tiny.toml``, and ``list.tsv`` with twelve recordings and five unusable ones."""
    (data / "cut off.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfm")
    (data / "text.flac").write_text("this is not audio at all\n" * 20)
    soundfile.write(data / "not numbers.wav", np.full(RATE, np.nan), RATE, "FLOAT")
    soundfile.write(data / "after the end.wav", np.full(RATE, 0.1), RATE)
    soundfile.write(data / "empty.wav", np.zeros(0), RATE)
    rows = [line.split("\t") for line in (data / "list.tsv").read_text().splitlines()[1:]]
    rows.insert(3, ["cut off.wav", "a b", "s"])
    rows.insert(0, ["text.flac", "a b", "s"])
    rows.insert(6, ["empty.wav", "a b", "s"])
    rows.append(["not numbers.wav", "a b", "s"])
    lines = [f"{path}\t{text}\t{speaker}\t\t" for path, text, speaker in rows]
    lines.append("after the end.wav\ta b\ts\t9\t1")
    header = "path\ttext\tspeaker\tstart_s\tduration_s"
    (data / "list.tsv").write_text("\n".join([header, *lines]) + "\n")
    return data


def named(text: str) -> list[str]:
    """Return the broken recordings that a command has named, and check that each is named once."""
    return [name for name in BROKEN if sum(name in line for line in text.splitlines()) == 1]


def test_training_and_evaluation_continue(run, partly_broken, monkeypatch):
    monkeypatch.chdir(partly_broken)
    Path("clean.tsv").write_text("path\ttext\n0.wav\ta b\n")
    noise = Path("noise")
    noise.mkdir()
    shutil.copy("cut off.wav", noise / "broken noise.wav")
    soundfile.write(noise / "good.wav", np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    noisy = ("--set", "augment.noise=noise", "--set", "augment.noise_prob=0.5")
    trained = run("train", "tiny.toml", "--set", 'data.validation=["clean.tsv"]', *noisy)
    assert trained.status == 0, trained.err
    assert named(trained.err) == list(BROKEN)
    assert "broken noise.wav" in trained.err
    assert "training set: 12 utterances" in trained.err
    exported = run(
        "export", "runs/tiny", "model", "--calibration", "list.tsv", "--check", "list.tsv",
        "--bound", "1000",
    )  # fmt: skip
    assert exported.status == 0, exported.err
    for name in BROKEN:
        assert f"{name}: " in exported.err
    evaluated = run("evaluate", "--model", "model", "list.tsv", "--json")
    assert evaluated.status == 1
    assert named(evaluated.err) == list(BROKEN)
    result = json.loads(evaluated.out)["list"]
    assert result["utterances"] == 12
    assert len(result["unreadable"]) == len(BROKEN)


def test_a_validation_set_without_readable_recordings_is_refused(run, data):
    (data / "broken.wav").write_bytes(b"RIFF")
    (data / "dev.tsv").write_text("path\ttext\nbroken.wav\ta b\n")
    changed = 'data.validation=["dev.tsv"]'
    result = run("train", data / "tiny.toml", "--run-dir", data / "run", "--set", changed,
                 "--cache", data / "cache")  # fmt: skip
    assert result.status == 1
    assert "no recording of validation set dev can be read" in result.err
    assert "broken.wav" in result.err


@pytest.mark.parametrize("kind", ["parameters", "confidence"])
def test_tuning_continues(run, word_model, partly_broken, kind, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(word_model, folder)
    options = ("--rounds", "1") if kind == "parameters" else ("--confidence", "--dry-run")
    result = run("tune", folder, partly_broken / "list.tsv", *options)
    assert named(result.err) == list(BROKEN)
    if kind == "parameters":
        assert result.status == 0, result.err


def test_a_manifest_without_readable_recordings_is_refused(run, word_model, model, data):
    (data / "broken.wav").write_bytes(b"RIFF")
    (data / "dev.tsv").write_text("path\ttext\nbroken.wav\ta b\n")
    for result in (
        run("tune", word_model, data / "dev.tsv", "--dry-run"),
        run("evaluate", "--model", model, data / "dev.tsv"),
    ):
        assert result.status == 1
        assert "no recording of the manifest can be read" in result.err.splitlines()[-1]


def test_corpus_alignment_continues(run, partly_broken, tmp_path):
    for name in partly_broken.glob("[0-9]*.wav"):
        name.unlink()
    (partly_broken / "list.tsv").write_text(
        "path\ttext\tstart_s\tduration_s\n"
        "text.flac\ta\t\t\n"
        f"{Path('audio_samples/read.flac').absolute()}\twhy do i know you\t\t\n"
        f"{Path('audio_samples/read.flac').absolute()}\twhy do i\t0\t1.5\n"
        "after the end.wav\ta b\t9\t1\n"
    )
    out = tmp_path / "out"
    result = run("align", "--manifest", partly_broken / "list.tsv", "--output-dir", out)
    assert result.status == 1
    assert "text.flac" in result.err
    assert "ends before the segment" in result.err
    assert sorted(path.name for path in out.iterdir()) == ["read-0.000-1.500.ctm", "read.ctm"]
    ends = [
        float(line.split()[2]) for line in (out / "read-0.000-1.500.ctm").read_text().splitlines()
    ]
    assert 0 < max(ends) < 1.6


def test_conversion_continues(run, partly_broken):
    out = partly_broken / "out.jsonl"
    result = run("convert-manifest", partly_broken / "list.tsv", out)
    assert result.status == 1
    assert "cut off.wav" in result.err
    assert "text.flac" in result.err
    durations = [json.loads(line)["duration"] for line in out.read_text().splitlines()]
    assert durations[1] == pytest.approx(1.0, abs=0.01)
