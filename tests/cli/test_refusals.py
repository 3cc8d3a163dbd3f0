"""Bad input: one line, exit status 1 or 2, no traceback, no incomplete output."""

import json
import shutil

import pytest


def refuse(result, *named):
    assert result.status in (1, 2)
    assert result.out == ""
    assert result.err.startswith("asr-gru: ")
    assert result.err.count("\n") == 1, result.err
    for name in named:
        assert str(name) in result.err


def test_unreadable_recordings_are_refused_in_one_line(
    run, model, bad_inputs, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    out = tmp_path / "out"
    for path in bad_inputs.values():
        refuse(run("transcribe", "--model", model, "--output-dir", out, path), path)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["transcrib", "x"], "'transcribe'"),
        (["transcribe", "--modle", "x", "y.wav"], "--model"),
        (["transcribe"], "RECORDINGS"),
        (["RECORDING"], "asr-gru transcribe"),
        (["live", "y.wav"], "--from-file y.wav"),
        (["transcribe", "--format", "srtt", "y.wav"], "'srt'"),
        (["transcribe", "--format", "srt", "--format", "txt", "y.wav"], "--output-dir"),
        (["transcribe", "--endpoint", "shrt", "y.wav"], "'short'"),
        (["transcribe", "--endpoint", "-3", "y.wav"], "-3"),
        (["transcribe", "--beam", "0", "y.wav"], "0"),
        (["transcribe", "--threads", "100000", "RECORDING"], "1 to 256"),
        (["transcribe", "--decoder", "greed", "y.wav"], "greed"),
        (["transcribe", "--model", "MODEL", "--decoder", "words", "RECORDING"], "--lexicon"),
        (["transcribe", "--phones", "--decoder", "words", "y.wav"], "--phones"),
        (["transcribe", "--model", "en-smol", "RECORDING"], "en-smol"),
        (["evaluate", "none.tsv"], "none.tsv"),
        (["train", "none.toml"], "none.toml"),
        (["export", "none", "m", "--calibration", "a.tsv", "--check", "b.tsv"], "none"),
        (["doctor", "--nonsense"], "--nonsense"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(run, arguments, named, recording, model):
    known = {"RECORDING": str(recording), "MODEL": str(model)}
    refuse(run(*(known.get(argument, argument) for argument in arguments)), named)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["transcribe"], "transcribe"),
        (["transcribe", "--language", "en", "y.wav"], "transcribe"),
        (["live", "--minimum-confidence", "50%"], "live"),
        (["language-model", "train"], "language-model train"),
    ],
)
def test_wrong_usage_names_the_help_to_read(run, arguments, command):
    refuse(run(*arguments), f"; see asr-gru {command} --help")


def test_tracebacks_are_printed_only_with_debug(run):
    assert "Traceback" in run("--debug", "train", "none.toml").err


@pytest.mark.parametrize("what", ["missing", "cut", "foreign", "unknown key"])
def test_damaged_models_are_refused(run, model, recording, tmp_path, what):
    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    if what == "missing":
        (broken / "acoustic.onnx").unlink()
    elif what == "cut":
        data = (broken / "acoustic.onnx").read_bytes()
        (broken / "acoustic.onnx").write_bytes(data[:1000])
    elif what == "foreign":
        (broken / "acoustic.bin").write_bytes(b"x")
    else:
        config = json.loads((broken / "config.json").read_text())
        (broken / "config.json").write_text(json.dumps({**config, "licenze": "x"}))
    refuse(run("transcribe", "--model", broken, recording), broken)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("path\tspeaker\na.wav\tx\n", "text"),
        ("path\ttext\na.wav\thello\n", "a.wav"),
        ("path\ttext\n", "empty"),
    ],
)
def test_invalid_manifests_are_refused(run, model, tmp_path, text, named):
    (tmp_path / "list.tsv").write_text(text)
    refuse(run("evaluate", "--model", model, tmp_path / "list.tsv"), named)


def test_unknown_configuration_keys_are_refused(run, tmp_path):
    (tmp_path / "c.toml").write_text('[data]\ntrain = ["a.tsv"]\nbatchs_s = 3\n')
    refuse(run("train", tmp_path / "c.toml"), "data.batchs_s", "'batch_s'")
    (tmp_path / "c.toml").write_text('epohs = 3\n[data]\ntrain = ["a.tsv"]\n')
    refuse(run("train", tmp_path / "c.toml"), "'epochs'")
