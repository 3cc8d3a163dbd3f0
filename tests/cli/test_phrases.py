"""``--phrases`` of the commands that transcribe."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "audio_samples"
READ = SAMPLES / "read.flac"


@pytest.fixture
def phrases(tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_text("\ufeff# of the model's words\n\na  cat\n  back a tack  \nbob\n", "utf-8")
    return path


def test_only_phrases_are_recognised(run, word_model, recording, phrases):
    result = run(
        "transcribe",
        *("--model", word_model, "--phrases", phrases, "--rejection", 20, "--format", "json"),
        recording,
    )
    assert (result.status, result.err) == (0, "")
    for segment in json.loads(result.out)["segments"]:
        assert segment["unit"] == "phrase"
        assert segment["phrase"] == ["a  cat", "back a tack", "bob"][segment["phrase_index"]]
        assert segment["text"] == " ".join(segment["phrase"].split())


@pytest.mark.parametrize("jobs", [1, 2])
def test_other_speech_is_rejected(run, tmp_path, jobs):
    listed = tmp_path / "list.txt"
    listed.write_text("turn the light on\nturn the light off\n")
    names = [READ, SAMPLES / "stereo.flac"]
    result = run("transcribe", "--phrases", listed, "--jobs", jobs, "--format", "json", *names)
    assert (result.status, result.err) == (0, "")
    assert [json.loads(line)["text"] for line in result.out.splitlines()] == ["", ""]


def test_live_recognises_only_the_phrases(run, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("turn the light on\n")
    result = run("live", "--from-file", READ, "--phrases", listed)
    assert (result.status, result.out) == (0, "")
    assert "listening to" in result.err


@pytest.mark.parametrize("command", ["transcribe", "live"])
@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (None, (), "No such file or directory; give a file of phrases"),
        ("# nothing\n\n", (), "no phrases; write one per line"),
        ("жук", (), "'жук' cannot be pronounced"),
        ("?!", (), "phrase 1 ('?!') has no words"),
        ("go", ("--decoder", "greedy"), "--phrases has its own decoder"),
        ("go", ("--beam", "4"), "--phrases has its own decoder"),
    ],
)
def test_invalid_phrases_are_refused(run, tmp_path, command, text, more, message):
    path = tmp_path / "list.txt"
    if text is not None:
        path.write_text(text, "utf-8")
    source = [READ] if command == "transcribe" else ["--from-file", READ]
    result = run(command, "--phrases", path, *more, *source)
    assert result.status == 2
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_rejection_needs_phrases(run):
    result = run("transcribe", "--rejection", 1, READ)
    assert result.status == 2
    assert "rejection applies to phrases" in result.err


@pytest.mark.parametrize("jobs", [1, 2])
def test_json_contains_the_parse_of_a_grammar(run, word_model, recording, tmp_path, jobs):
    path = tmp_path / "hunt.jsgf"
    path.write_text("#JSGF V1.0;\npublic <any> = (a | cat {animal} | back | tack | bob {name})+;\n")
    copy = shutil.copy(recording, tmp_path / "copy.wav")
    result = run(
        "transcribe",
        *("--model", word_model, "--grammar", path, "--rejection", 20, "--format", "json"),
        *("--jobs", jobs, recording, copy),
    )
    assert (result.status, result.err) == (0, "")
    first, second = [json.loads(line)["segments"] for line in result.out.splitlines()]
    assert first
    assert first == second
    for segment in first:
        assert segment["unit"] == "phrase"
        assert segment["parse"]["intent"] == "any"
        assert ("animal" in segment["parse"]["slots"]) == ("cat" in segment["text"].split())


def test_live_recognises_only_the_grammar(run, tmp_path):
    path = tmp_path / "light.jsgf"
    path.write_text("#JSGF V1.0;\npublic <light> = turn the light (on | off) {to};\n")
    result = run("live", "--from-file", READ, "--grammar", path)
    assert (result.status, result.out) == (0, "")


@pytest.mark.parametrize("command", ["transcribe", "live"])
@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (None, (), "a.jsgf: No such file or directory; give JSGF or its file"),
        ("hello", (), "a.jsgf: line 1, column 1: a grammar begins with"),
        ("#JSGF V1.0;\npublic <a> = (b;", (), "a.jsgf: line 2, column 14: '(' is not closed"),
        ("#JSGF V1.0;\npublic <a> = жук;", (), "'жук' cannot be pronounced"),
        ("#JSGF V1.0;\npublic <a> = b;", ("--beam", "4"), "--grammar has its own decoder"),
        ("#JSGF V1.0;\npublic <a> = b;", ("--phrases", "b"), "--phrases and --grammar exclude"),
    ],
)
def test_invalid_grammars_are_refused(run, tmp_path, command, text, more, message):
    path = tmp_path / "a.jsgf"
    if text is not None:
        path.write_text(text, "utf-8")
    source = [READ] if command == "transcribe" else ["--from-file", READ]
    result = run(command, "--grammar", path, *more, *source)
    assert result.status == 2
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1
