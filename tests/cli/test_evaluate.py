"""``asr-gru evaluate`` on texts with known errors."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from asr_gru import Recognizer
from asr_gru.model.directory import ModelDirectory

RATE = 16_000


@pytest.fixture
def manifest(run, model, tmp_path):
    """Five recordings with their transcripts as texts, the last with two more words."""
    lines = ["path\ttext"]
    for number in range(5):
        noise = np.random.default_rng(number).standard_normal(2 * RATE) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", noise, RATE)
        result = run(
            "transcribe", "--model", model, "--endpoint", "off", tmp_path / f"{number}.wav"
        )
        text = result.out.strip() + " missed words" * (number == 4)
        lines.append(f"{number}.wav\t{text}")
    (tmp_path / "list.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "list.tsv"


def document(run, model, manifest, *options):
    result = run("evaluate", "--model", model, "--json", *options, manifest)
    assert result.status == 0, result.err
    return json.loads(result.out)["list"]


def test_the_word_error_rate_is_correct(run, model, manifest):
    found = document(run, model, manifest)
    words = sum(len(line.split("\t")[1].split()) for line in manifest.read_text().splitlines()[1:])
    assert (found["substitutions"], found["deletions"], found["insertions"]) == (0, 2, 0)
    assert found["words"] == words
    assert found["word_error_rate"] == pytest.approx(200 / words, abs=0.001)
    table = run("evaluate", "--model", model, "--worst", "1", manifest).out
    assert f"{200 / words:.2f}" in table
    assert "4.wav: 2 errors" in table
    assert ".wav" not in run("evaluate", "--model", model, "--worst", "0", manifest).out


def test_errors_of_long_utterances_are_printed_in_lines_of_a_screen(run, model, manifest):
    words = ["extraordinary"] * 60
    with manifest.open("a") as file:
        file.write(f"0.wav\t{' '.join(words)}\n")
    lines = run("evaluate", "--model", model, "--worst", "1", manifest).out.splitlines()
    references = [line.split()[1:] for line in lines if line.startswith("  ref  ")]
    hypotheses = [line for line in lines if line.startswith("  hyp  ")]
    assert max(len(line) for line in lines if line.startswith("  ")) <= 100
    assert [word for line in references for word in line if word != "*"] == words
    assert len(hypotheses) == len(references) > 4


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (3, 3), (9, 5)])
def test_limit_evaluates_that_many_utterances(run, model, manifest, limit, count):
    assert document(run, model, manifest, "--limit", limit)["utterances"] == count


def test_the_normaliser_changes_the_error_rate(run, model, manifest):
    manifest.write_text(
        manifest.read_text().upper().replace("PATH\tTEXT", "path\ttext").replace(".WAV", ".wav")
    )
    assert document(run, model, manifest, "--normaliser", "basic")["word_error_rate"] < 50
    assert document(run, model, manifest, "--normaliser", "none")["word_error_rate"] >= 100


def test_unreadable_recordings_are_left_out(run, model, manifest):
    (manifest.parent / "2.wav").write_bytes(b"not audio " * 99)
    result = run("evaluate", "--model", model, "--json", manifest)
    assert result.status == 1
    assert json.loads(result.out)["list"]["utterances"] == 4
    assert result.err.count("\n") == 1
    assert "2.wav" in result.err


@pytest.mark.parametrize("bound", ["nan", "inf"])
def test_a_bound_that_is_not_finite_is_refused(run, bound):
    lists = ["--calibration", "a.tsv", "--check", "b.tsv"]
    result = run("export", "run", "model", *lists, "--bound", bound)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "--bound" in result.err


def test_doctor_lists_ffmpeg_and_the_extras(run, model, monkeypatch):
    monkeypatch.setenv("PATH", "")
    output = run("doctor", "--model", model).out
    for name in ("ffmpeg", "fastapi", "uvicorn", "torch"):
        assert name in output
    assert "none     ffmpeg" in output


def test_two_models_are_compared_on_the_same_utterances(run, model, manifest):
    found = document(run, model, manifest, "--compare", model)
    comparison = found["comparison"]
    assert comparison["word_error_rate"] == found["word_error_rate"]
    assert (comparison["difference"], comparison["significant"]) == (0.0, False)
    printed = run("evaluate", "--model", model, "--compare", model, manifest).out
    assert "+0.00" in printed
    assert "not significant" in printed


def test_a_missing_model_to_compare_with_is_named(run, model, manifest):
    result = run("evaluate", "--model", model, "--compare", "no-such-model", manifest)
    assert result.status == 1
    assert "no-such-model" in result.err


def test_rates_are_recorded_in_the_model(run, model, manifest, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    found = document(run, copy, manifest, "--record")
    rates = ModelDirectory.open(copy).config.word_error_rates
    assert rates == {"list": pytest.approx(found["word_error_rate"], abs=0.01)}
    Recognizer.load(copy)


@pytest.mark.parametrize("option", [["--limit", "2"], ["--beam", "4"], ["--normaliser", "basic"]])
def test_rates_of_other_conditions_are_not_recorded(run, model, manifest, option):
    result = run("evaluate", "--model", model, "--record", *option, manifest)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert "leave out --backend, --decoder, --beam, --limit, --endpoint and" in result.err


def test_rates_without_all_recordings_are_not_recorded(run, model, manifest, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    (tmp_path / "4.wav").write_bytes(b"no sound")
    before = (copy / "config.json").read_bytes()
    result = run("evaluate", "--model", copy, "--record", manifest)
    assert result.status == 1
    assert "the rates were not recorded" in result.err
    assert (copy / "config.json").read_bytes() == before
