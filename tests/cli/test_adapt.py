"""``asr-gru adapt``."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def files(tmp_path, recording):
    (tmp_path / "words.txt").write_text("# ours\ncab: K AA B\nbob\n", "utf-8")
    (tmp_path / "notes.txt").write_text("a cab back\na cat zoo\n" * 6, "utf-8")
    (tmp_path / "dev.tsv").write_text(f"path\ttext\n{recording}\ta cab\n", "utf-8")
    return tmp_path


def test_the_report_lists_words_texts_and_errors(run, word_model, files):
    result = run(
        *("adapt", word_model, "--words", files / "words.txt", "--text", files / "notes.txt"),
        *("--out", files / "out", "--dev", files / "dev.tsv", "--weight", "0.25"),
    )
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "cab: K AA B  (given)"
    assert lines[1] == "words: 1 added (1 given), 1 known already"
    assert lines[2] == "text: 36 words, weight 0.250"
    assert lines[3] == "not in the lexicon: 6 (zoo 6); add them with --words"
    assert lines[4].startswith("perplexity of held-out text: ")
    assert lines[5].startswith("perplexity of development list: ")
    assert lines[6].startswith("WER %: ")
    assert "significant" in lines[6]
    assert lines[7].startswith(f"{files / 'out'}: language model ")
    assert run("transcribe", "--model", files / "out", files / "tone.wav").status == 0


def test_an_existing_folder_is_replaced_only_with_force(run, word_model, files):
    command = ("adapt", word_model, "--text", files / "notes.txt", "--out", files / "out")
    assert run(*command).status == 0
    again = run(*command)
    assert (again.status, again.err.count("\n")) == (2, 1)
    assert "--force" in again.err
    assert run(*command, "--force", "--weight", "0.125").status == 0
    config = json.loads((files / "out" / "config.json").read_text())
    assert config["training"]["text_weight"] == 0.125


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "nothing to adapt to"),
        (("--text", "notes.txt", "--size", "1KB"), 2, "too small for"),
        (("--text", "notes.txt", "--size", "big"), 2, "'big' is not a size"),
        (("--text", "notes.txt", "--weight", "nan"), 2, "--weight"),
        (("--text", "notes.txt", "--weight", "2"), 2, "--weight"),
        (("--words", "empty.txt"), 1, "empty.txt: no words"),
        (("--text", "empty.txt"), 1, "empty.txt: no words"),
        (("--text", "bytes.txt"), 1, "bytes.txt: line 2: not UTF-8"),
        (("--text", "absent.txt"), 1, "absent.txt: No such file"),
    ],
)
def test_refusals_are_one_line(run, word_model, files, monkeypatch, arguments, status, said):
    monkeypatch.chdir(files)
    (files / "empty.txt").write_text("")
    (files / "bytes.txt").write_bytes(b"a cat\ncaf\xe9\n")
    result = run("adapt", word_model, "--out", "out", *arguments)
    assert result.status == status, result.err
    assert said in result.err
    assert result.err.strip().splitlines()[-1].startswith("asr-gru: ")
    assert "Traceback" not in result.err
    assert not (files / "out").exists()
