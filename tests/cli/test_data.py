import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import read_manifest

RATE = 16_000


@pytest.fixture
def lists(data):
    """``list.tsv`` of twelve recordings, and ``dev.tsv`` of two, of which one is in both."""
    loud = np.clip(np.random.default_rng(0).standard_normal(RATE), -1, 1)
    soundfile.write(data / "loud.wav", loud, RATE)
    (data / "dev.tsv").write_text("path\ttext\tspeaker\n0.wav\ta bob\ts\nloud.wav\ta ñ\tt\n")
    return data


def test_statistics_and_findings_are_printed(run, lists):
    result = run("data", lists / "list.tsv", lists / "dev.tsv")
    assert (result.status, result.err) == (0, "")
    assert "list: 12 utterances, 0.00 hours, 1 speakers (s has 100 %)" in result.out
    assert "dev: 2 utterances" in result.out
    assert "unreadable: 0, suspicious: 0" in result.out
    assert "unreadable: 0, suspicious: 1\n  clipping: 1\n" in result.out
    assert "loud.wav: " in result.out
    assert "list and dev share 1 recordings (such as " in result.out
    assert "list and dev share 1 speakers (such as s)" in result.out
    brief = run("data", lists / "dev.tsv", "--list", 0)
    assert "  clipping: 1\n" in brief.out
    assert "loud.wav" not in brief.out


def test_json_with_a_model_has_unknown_words_and_doubts(run, lists, word_model):
    result = run(
        "data", lists / "list.tsv", lists / "dev.tsv", "--model", word_model, "--format", "json"
    )
    assert result.status == 0, result.err
    found = json.loads(result.out)
    dev = found["lists"]["dev"]
    assert dev["unknown_words"] == {"n": 1}
    assert dev["unknown_characters"] == {"n": 1}
    assert "doubt in nats per token" in dev["percentiles"]
    assert {one["kind"] for one in found["shared"]} == {"recordings", "speakers"}
    assert ("clipping" in {one["kind"] for one in dev["suspicious"]}) is True
    plain = json.loads(run("data", lists / "dev.tsv", "--format", "json").out)["lists"]["dev"]
    assert "unknown_words" not in plain


def test_unreadable_recordings_are_named_and_the_exit_status_is_1(run, lists):
    (lists / "3.wav").write_bytes(b"RIFF")
    result = run("data", lists / "list.tsv")
    assert result.status == 1
    assert "3.wav" in result.err
    assert result.err.endswith("left out\n")
    assert "list: 11 utterances" in result.out
    assert "unreadable: 1" in result.out


def test_utterances_without_findings_are_written(run, lists):
    out = lists / "clean.jsonl"
    assert run("data", lists / "dev.tsv", "--write", out).status == 0
    assert [one.path.name for one in read_manifest(out)] == ["0.wav"]
    again = run("data", lists / "dev.tsv", "--write", out)
    assert again.status == 2
    assert "exists" in again.err


def test_distributions_and_augmentations_are_drawn(run, lists):
    noise = np.random.default_rng(1).standard_normal(RATE) * 0.1
    (lists / "noise").mkdir()
    soundfile.write(lists / "noise" / "n.wav", noise, RATE)
    result = run("data", lists / "list.tsv", "--plot", lists / "all.png", "--show", lists / "show")
    assert result.status == 0, result.err
    assert (lists / "all.png").read_bytes()[:4] == b"\x89PNG"
    written = {path.name for path in (lists / "show").iterdir()}
    names = ("original", "pauses", "speed", "babble", "bandwidth", "gain")
    plain = {f"{name}.wav" for name in names}
    assert written == {*plain, "spectrograms.png"}
    original, _ = soundfile.read(lists / "show" / "original.wav")
    for name in sorted(plain - {"original.wav"}):
        changed, rate = soundfile.read(lists / "show" / name)
        assert rate == RATE
        assert len(changed) != len(original) or np.abs(changed - original).max() > 0.001, name
    config = lists / "tiny.toml"
    config.write_text(
        config.read_text() + '[augment]\nnoise = "noise"\nnoise_prob = 0.1\nspeed_prob = 0.0\n'
    )
    shown = run("data", lists / "list.tsv", "--show", lists / "own", "--augment", config)
    assert shown.status == 0, shown.err
    assert {path.name for path in (lists / "own").iterdir()} == {
        "original.wav", "noise.wav", "spectrograms.png",
    }  # fmt: skip


def test_pauses_are_shown_on_their_own_and_in_no_other_augmentation(run, lists):
    config = lists / "tiny.toml"
    config.write_text(config.read_text() + "[augment]\npause_prob = 1.0\nbandwidth_prob = 0.5\n")
    result = run("data", lists / "list.tsv", "--show", lists / "show", "--augment", config)
    assert result.status == 0, result.err
    samples = {path.stem: len(soundfile.read(path)[0]) for path in lists.glob("show/*.wav")}
    assert set(samples) == {"original", "pauses", "bandwidth"}
    assert samples["bandwidth"] == samples["original"]
    assert samples["pauses"] != samples["original"]


def test_playing_without_a_device_is_refused_in_one_line(run, lists, monkeypatch):
    class PortAudioError(Exception):
        pass

    played = []
    device = SimpleNamespace(
        PortAudioError=PortAudioError,
        play=lambda samples, rate, *, blocking: played.append((len(samples), rate)),
    )
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    result = run("data", lists / "list.tsv", "--show", lists / "show", "--play")
    assert result.status == 0, result.err
    assert len(played) == 6
    assert played[0] == (RATE // 3 * 3, RATE)

    def fail(samples, rate, *, blocking):
        raise PortAudioError("no device")

    monkeypatch.setattr(device, "play", fail)
    result = run("data", lists / "list.tsv", "--show", lists / "show", "--play")
    assert result.status == 1
    assert "cannot be played" in result.err


def test_wrong_arguments_are_refused_before_anything_is_read(run, lists, monkeypatch):
    listed = lists / "list.tsv"
    (lists / "empty.tsv").write_text("path\ttext\n")
    (lists / "lost.tsv").write_text("path\ttext\nlost.wav\thi\n")
    for arguments, status, named in (  # statuses: 1 input, 2 call
        ((lists / "no.tsv",), 1, "no.tsv"),
        ((lists / "empty.tsv",), 1, "empty"),
        ((lists / "lost.tsv",), 1, "not there"),
        ((listed, "--plot", lists / "a.txt"), 2, ".png"),
        ((listed, "--plot", lists / "no" / "a.png"), 2, "no such folder"),
        ((listed, "--play"), 2, "--show"),
        ((listed, "--show", listed), 1, "list.tsv"),
        ((listed, "--model", lists / "no"), 1, "no"),
        ((listed, "--format", "xml"), 2, "xml"),
    ):
        result = run("data", *arguments)
        assert result.status == status, (arguments, result)
        assert named in result.err
        assert result.err.count("\n") == 1, result.err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("data", listed, "--plot", lists / "a.png")
    assert result.status == 2
    assert "matplotlib is not installed" in result.err
