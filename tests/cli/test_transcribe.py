import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr_gru
from asr_gru.text import inverse_normalise

SAMPLES = Path(__file__).parents[2] / "audio_samples"


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, rate, seconds in (
        ("a.wav", 16_000, 2.0),
        ("b.flac", 44_100, 1.0),
        ("b.wav", 8_000, 3.0),
    ):
        soundfile.write(folder / name, random.standard_normal(int(rate * seconds)) * 0.1, rate)
    return folder


def test_a_single_recording_prints_only_its_text(run, model, recordings):
    result = run("transcribe", "--model", model, recordings / "a.wav")
    assert (result.status, result.err) == (0, "")
    assert result.out.strip()
    assert result.out == result.out.lower()
    assert "#" not in result.out


def test_several_recordings_are_printed_with_their_names(run, model, recordings):
    result = run("transcribe", "--model", model, recordings)
    assert result.status == 0
    named = [line for line in result.out.splitlines() if line.startswith("#")]
    assert named == [f"# {recordings / name}" for name in ("a.wav", "b.flac", "b.wav")]


@pytest.mark.parametrize("form", ["srt", "vtt", "json", "tsv", "ctm", "TextGrid"])
def test_every_format_is_printed(run, model, recordings, form):
    starts = {"srt": "1\n", "vtt": "WEBVTT", "json": "{", "tsv": "start\t", "ctm": "a 1 "}
    result = run("transcribe", "--model", model, "--format", form, recordings / "a.wav")
    assert result.status == 0
    assert result.out.startswith(starts.get(form, "File type"))


def test_several_formats_are_written_to_a_folder(run, model, recordings, tmp_path):
    out = tmp_path / "new" / "out"
    result = run(
        "transcribe",
        "--model",
        model,
        "--format",
        "txt",
        "--format",
        "json",
        "--output-dir",
        out,
        recordings,
    )
    assert (result.status, result.out) == (0, "")
    names = {path.name for path in out.iterdir()}
    assert names == {f"{n}.{f}" for n in ("a", "b.flac", "b.wav") for f in ("txt", "json")}
    text = json.loads((out / "a.json").read_text())["text"]
    assert " ".join((out / "a.txt").read_text().split()) == text


@pytest.mark.parametrize("options", [["--jobs", "2"], ["--batch-size", "3"]])
def test_jobs_and_batches_give_the_same_output(run, model, recordings, options):
    alone = run("transcribe", "--model", model, "--format", "json", recordings)
    together = run("transcribe", "--model", model, "--format", "json", *options, recordings)
    assert together == alone


def test_options_change_the_output(run, model, recordings):
    def out(*options):
        result = run(
            "transcribe", "--model", model, "--format", "json", *options, recordings / "b.wav"
        )
        assert result.status == 0
        return result.out

    plain = out()
    assert out("--beam", "8") != plain
    assert out("--beam", "1") == plain
    assert out("--endpoint", "off") == out("--endpoint", "60")


def test_a_bad_file_does_not_stop_the_others(run, model, recordings, bad_inputs):
    bad = bad_inputs["text"]
    result = run("transcribe", "--model", model, recordings / "a.wav", bad, recordings / "b.wav")
    assert result.status == 1
    assert result.out.count("#") == 2
    assert result.err.count("\n") == 1
    assert str(bad) in result.err


def test_a_truncated_file_is_transcribed_with_a_warning(run, model, tmp_path):
    noise = np.random.default_rng(0).standard_normal(64_000) * 0.1
    soundfile.write(tmp_path / "cut.flac", noise, 16_000)
    data = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    result = run("transcribe", "--model", model, tmp_path / "cut.flac")
    assert result.status == 0
    assert result.out.strip()
    assert "ends early" in result.err


def test_a_header_without_samples_is_an_empty_transcript(run, model, tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    result = run("transcribe", "--model", model, tmp_path / "empty.wav")
    assert (result.status, result.out, result.err) == (0, "", "")


def test_version_is_printed(run):
    assert run("--version").out == f"asr-gru, version {asr_gru.__version__}\n"


def test_the_module_can_be_run(model, recordings):
    command = [sys.executable, "-X", "importtime", "-m", "asr_gru", "--debug", "transcribe"]
    command += ["--model", model]
    command += ["--model", model]
    done = subprocess.run(
        [*command, recordings / "a.wav"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "onnxruntime" in modules
    assert not modules & {"torch", "sounddevice", "sentencepiece", "rich"}


def test_a_model_prints_words_or_phones(run, word_model, tmp_path):
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "noise.wav", rng.standard_normal(48_000) * 0.1, 16_000)
    words = run("transcribe", "--model", word_model, tmp_path / "noise.wav")
    assert words.status == 0
    assert set(words.out.split()) <= {"a", "back", "cat", "tack", "bob"}
    phones = run("transcribe", "--model", word_model, "--phones", tmp_path / "noise.wav")
    lines = [line.split() for line in phones.out.splitlines()]
    assert {line[4] for line in lines} <= {"AA", "B", "K", "T"}
    assert [float(line[2]) for line in lines] == sorted(float(line[2]) for line in lines)
    greedy = run("transcribe", "--model", word_model, "--decoder", "greedy", tmp_path / "noise.wav")
    assert greedy.out.split() == [line[4] for line in lines]


@pytest.mark.parametrize("jobs", [1, 2])
def test_written_prints_numbers_in_digits(run, jobs):
    names = [SAMPLES / "read.flac", SAMPLES / "lights.opus"][:jobs]
    command = ("transcribe", "--jobs", jobs, *names)
    plain, written = run(*command), run(*command, "--written")
    assert (plain.status, written.status) == (0, 0)
    lines = [line for line in plain.out.splitlines() if not line.startswith("#")]
    told = [line for line in written.out.splitlines() if not line.startswith("#")]
    assert told == [inverse_normalise(line) for line in lines] != lines
    found = json.loads(run(*command[:3], "--written", "--format", "json", names[0]).out)
    assert (found["text"], found["written"]) == (lines[0], told[0])


def test_phones_in_written_form_are_refused(run):
    result = run("transcribe", "--phones", "--written", SAMPLES / "read.flac")
    assert result.status == 2
    assert result.err == "asr-gru: --phones prints what was spoken; leave --written out\n"
