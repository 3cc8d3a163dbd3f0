"""The recipe with synthetic speech: lists, voices and refused arguments."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import read_manifest
from asr_gru.errors import ConfigError
from asr_gru.training.config_file import load_train_config
from recipes.minute import look, prepare, sentences, voices

COUNTS = ("--train", "6", "--dev", "2", "--test", "2")
ARGUMENTS = (*COUNTS, "--jobs", "1")


def test_no_sentence_is_in_two_lists(tmp_path, capsys):
    assert prepare.main([str(tmp_path), *ARGUMENTS, "--voice", "tones"]) == 0
    assert "train.tsv: 6 sentences" in capsys.readouterr().out
    lists = [read_manifest(tmp_path / f"{part}.tsv") for part in prepare.PARTS]
    assert [len(utterances) for utterances in lists] == [6, 2, 2]
    texts = [utterance.text for utterances in lists for utterance in utterances]
    assert len(set(texts)) == 10
    assert set("".join(texts)) <= set("abcdefghijklmnopqrstuvwxyz ")
    for utterance in lists[0]:
        info = soundfile.info(utterance.path)
        assert info.duration == pytest.approx(utterance.duration_s, abs=1e-3)


def test_the_same_seed_makes_the_same_recordings(tmp_path):
    made = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        prepare.main([str(tmp_path / name), *ARGUMENTS, "--voice", "tones", "--seed", str(seed)])
        made[name] = (tmp_path / name / "train" / "0000.wav").read_bytes()
    assert made["a"] == made["b"] != made["c"]


def test_each_letter_has_its_own_tones(tmp_path):
    spectra = []
    for letter in "abcdefghijklmnopqrstuvwxyz":
        voices.SYNTHESISERS["tones"].speak(letter, tmp_path / "letter.wav", random.Random(1))
        samples, _ = soundfile.read(tmp_path / "letter.wav")
        spectra.append(np.abs(np.fft.rfft(samples)))
    peaks = {tuple(sorted(np.argsort(spectrum)[-2:])) for spectrum in spectra}
    assert len(peaks) == 26


@pytest.mark.parametrize("name", ["flite", "espeak-ng"])
def test_installed_synthesisers_speak(tmp_path, name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    voice = voices.SYNTHESISERS[name].speak("one two", tmp_path / "a.wav", random.Random(1))
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert voice
    assert 0.4 < len(samples) / rate < 3.0
    assert np.abs(samples).max() > 0.05


def test_without_a_synthesiser_tones_are_chosen(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert voices.choose_synthesiser("auto")[0] == "tones"
    with pytest.raises(ConfigError, match="--voice tones"):
        voices.choose_synthesiser("flite")


def test_invalid_arguments_are_refused(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        prepare.main([str(tmp_path), "--train", "0"])
    assert "whole number from 1" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(sentences, "TEMPLATES", (lambda dice: dice.choice(sentences.DIGITS),))
        with pytest.raises(ConfigError, match="more than there are"):
            sentences.draw_sentences(11, random.Random(1))

    def fail(command, **settings):
        raise subprocess.CalledProcessError(3, command, stderr="no such voice\n")

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", fail)
    assert prepare.main([str(tmp_path), *ARGUMENTS, "--voice", "flite"]) == 2
    assert "flite failed (no such voice)" in capsys.readouterr().err


def test_a_bundled_model_is_shown_by_its_name(tmp_path, capsys):
    picture = tmp_path / "new" / "look.pgn"  # any name gets a PNG file
    assert look.main(["en-small", "audio_samples/read.flac", "--picture", str(picture)]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["merged"].split()[:4] == ["-", "W", "-", "AY"]
    assert lines["text"].startswith("W AY K D")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert look.main(["en-smal", "audio_samples/read.flac"]) == 1
    assert "did you mean 'en-small'" in capsys.readouterr().err


@pytest.mark.parametrize("samples", [0, 100])
def test_a_recording_shorter_than_a_frame_is_one_line(samples, tmp_path, capsys):
    soundfile.write(tmp_path / "short.wav", np.zeros(samples), 16_000)
    assert look.main(["en-small", str(tmp_path / "short.wav")]) == 1
    assert "short.wav: shorter than 10 ms; give a longer" in capsys.readouterr().err


def test_an_interrupted_command_is_one_line(tmp_path, monkeypatch, capsys):
    def stop(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "prepare", stop)
    assert prepare.main([str(tmp_path), *ARGUMENTS]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_the_configuration_is_valid():
    config = load_train_config(Path(prepare.__file__).parents[2] / prepare.CONFIG)
    assert config.data.tokens == "characters"
