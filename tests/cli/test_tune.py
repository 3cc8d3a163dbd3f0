import json
import shutil

import numpy as np
import pytest
import soundfile

from asr_gru import tuning


@pytest.fixture
def list_of_noise(tmp_path):
    rng = np.random.default_rng(3)
    lines = ["path\ttext"]
    for number in range(3):
        name = f"{number}.wav"
        soundfile.write(tmp_path / name, rng.standard_normal(32_000) * 0.1, 16_000)
        lines.append(f"{name}\ta cat")
    (tmp_path / "noise.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "noise.tsv"


def words_of(folder):
    return json.loads((folder / "config.json").read_text())["decoder"]["words"]


def test_tune_prints_each_setting_and_writes_the_best(run, word_model, tmp_path, list_of_noise):
    folder = tmp_path / "model"
    shutil.copytree(word_model, folder)
    before = words_of(folder)
    tried = run("tune", folder, list_of_noise, "--rounds", "1", "--dry-run")
    assert tried.status == 0, tried.err
    assert words_of(folder) == before
    start = ("--set", "word_bonus=8")  # recognises words that are not there
    tuned = run("tune", folder, list_of_noise, "--rounds", "1", "--limit", "3", *start)
    lines = tuned.out.splitlines()
    assert lines[0].split() == [
        *("language_weight", "blank_bias", "word_bonus", "noise", "mean", "WER", "%"),
    ]
    rates = [float(line.split()[-1]) for line in lines[1:] if line.split()[0][0].isdigit()]
    assert rates[-1] == min(rates) < max(rates)
    best = [line for line in lines if line.split()[0][0].isdigit()][-1].split()
    after = words_of(folder)
    assert [after["language_weight"], after["blank_bias"], after["word_bonus"]] == [
        float(value) for value in best[:3]
    ]
    assert {**after, **{name: before[name] for name in after}} == before
    assert run("transcribe", "--model", folder, tmp_path / "0.wav").status == 0


def test_limit_uses_that_many_utterances(run, word_model, tmp_path, list_of_noise, monkeypatch):
    heard = []
    encode = tuning.run_acoustic_model

    def noting(model, utterances, left_out):
        heard.append(len(utterances))
        return encode(model, utterances, left_out)

    monkeypatch.setattr(tuning, "run_acoustic_model", noting)
    folder = tmp_path / "model"
    shutil.copytree(word_model, folder)
    whole = len(list_of_noise.read_text().splitlines()) - 1
    tuned = run("tune", folder, list_of_noise, "--dry-run", "--rounds", "1", "--limit", whole - 1)
    assert (tuned.status, heard) == (0, [whole - 1])


def test_set_gives_initial_values(run, word_model, tmp_path, list_of_noise):
    folder = tmp_path / "model"
    shutil.copytree(word_model, folder)
    start = ("--set", "blank_skip=0.8", "--set", "width=40", "--set", "blank_bias=3.5")
    tuned = run("tune", folder, list_of_noise, "--rounds", "1", *start)
    assert tuned.status == 0, tuned.err
    assert tuned.out.splitlines()[1].split()[1] == "3.500"
    after = words_of(folder)
    assert (after["blank_skip"], after["width"]) == (0.8, 40)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("width", "write it as NAME=VALUE"),
        ("blank_skp=0.8", "unknown parameter 'blank_skp' (did you mean 'blank_skip'?)"),
        ("width=many", "'many' is not a number"),
        ("blank_skip=2", "blank_skip"),
        ("beam=nan", "beam"),
    ],
)
def test_invalid_values_are_refused(run, word_model, list_of_noise, setting, message):
    refused = run("tune", word_model, list_of_noise, "--set", setting)
    assert refused.status == 2
    assert message in refused.err
    assert refused.err.count("\n") == 1


def test_a_model_without_a_lexicon_is_refused(run, model, list_of_noise):
    refused = run("tune", model, list_of_noise)
    assert refused.status == 1
    assert "--lexicon" in refused.err
    assert refused.err.count("\n") == 1


def test_confidences_are_fitted_and_written(run, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree("asr_gru/models/en-small", folder)
    lists = "audio_samples/samples.tsv"
    tried = run("tune", folder, lists, "--confidence", "--dry-run")
    assert tried.status == 0, tried.err
    assert tried.out.splitlines()[1].split()[:2] == ["list", "words"]
    assert all(0 < float(cell) < 2 for cell in tried.out.splitlines()[2].split()[3:])
    fitted = run("tune", folder, lists, "--confidence")
    written = json.loads((folder / "config.json").read_text())["confidence"]
    printed = fitted.out.splitlines()[-2].split()
    shown = dict(zip(printed[::2], map(float, printed[1::2]), strict=True))
    assert shown == pytest.approx(written, rel=1e-3)


def test_confidences_need_correct_and_wrong_words(run, word_model, list_of_noise):
    result = run("tune", word_model, list_of_noise, "--confidence")
    assert result.status == 1
    assert "right and wrong" in result.err
