"""``--hot-words`` of the commands that transcribe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "audio_samples"
READ = SAMPLES / "read.flac"


def words_of(result):
    assert result.status == 0, result.err
    return json.loads(result.out)["text"].split()


@pytest.mark.parametrize("jobs", [1, 2])
def test_hot_words_are_recognised(run, word_model, tmp_path, recording, jobs):
    listed = tmp_path / "list.txt"
    listed.write_text("# names\nbob = 20\n", "utf-8")
    command = ("transcribe", "--model", word_model, "--jobs", jobs, "--format", "json")
    names = [recording] * jobs
    before = run(*command, *names)
    after = run(*command, "--hot-words", listed, *names)
    assert words_of(after).count("bob") > words_of(before).count("bob")


@pytest.mark.parametrize("command", ["transcribe", "live"])
def test_debug_prints_pronunciations_of_new_words(run, tmp_path, command):
    listed = tmp_path / "list.txt"
    listed.write_text("Grafanaut\nFrau Öztürk\nOzturk: EH Z T ER K = 3\nhello\n", "utf-8")
    source = [READ] if command == "transcribe" else ["--from-file", READ]
    result = run(command, "--debug", "--hot-words", listed, *source)
    assert result.status == 0
    spoken = [line for line in result.err.splitlines() if ": " in line]
    assert "ozturk: EH Z T ER K" in spoken
    assert sum(line.startswith("grafanaut: G ") for line in spoken) >= 1
    assert not any(line.startswith("hello") for line in spoken)
    silent = run(command, "--hot-words", listed, *source)
    assert "grafanaut" not in silent.err
    assert silent.out == result.out


@pytest.mark.parametrize("command", ["transcribe", "live"])
@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (None, (), "No such file or directory; give a file of hot words"),
        ("# nothing\n\n", (), "no hot words; write one per line"),
        (b"\xff\xfe", (), "not UTF-8 text; give a file of hot words"),
        ("жук", (), "'жук' cannot be pronounced"),
        ("go: ZZ", (), "'go' needs the phone ZZ"),
        ("go = fast", (), "weight 'fast' is not a number"),
        ("go = 21", (), "weight 21.0; give 0 to 20"),
        ("go", ("--decoder", "greedy"), "hot words need a word search"),
        ("go", ("--phrases", READ.with_name("samples.tsv")), "--hot-words cannot be combined"),
    ],
)
def test_invalid_hot_words_are_refused(run, tmp_path, command, text, more, message):
    path = tmp_path / "list.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    source = [READ] if command == "transcribe" else ["--from-file", READ]
    result = run(command, "--hot-words", path, *more, *source)
    assert result.status == 2
    assert message in result.err
    assert result.err.count(path.name) <= 1, "the file is named twice"
    assert len(result.err.strip().splitlines()) == 1
