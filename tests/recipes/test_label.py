"""The recipe that labels recordings with a teacher's texts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import read_manifest
from recipes.en_small import label

ROWS = [
    ("a.flac", "One two, three.", -0.05),
    ("b.flac", "four five", -0.2),
    ("c.flac", "six seven", -0.6),
]


@pytest.fixture
def folder(tmp_path):
    for name, _, _ in ROWS:
        soundfile.write(tmp_path / name, np.zeros(16_000), 16_000)
    lines = [json.dumps({"path": p, "text": t, "confidence": c}) for p, t, c in ROWS]
    (tmp_path / "teacher.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    true = ["one two three", "four nine", "eight nine"]
    table = "".join(f"{p}\t{t}\n" for (p, _, _), t in zip(ROWS, true, strict=True))
    (tmp_path / "dev.tsv").write_text("path\ttext\n" + table, encoding="utf-8")
    return tmp_path


def test_the_table_shows_kept_texts_and_error_rates_per_threshold(folder, capsys):
    label.main(["threshold", str(folder / "dev.tsv"), str(folder / "teacher.jsonl")])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    found = {row[0]: (row[1], row[2]) for row in rows}
    assert found["-inf"] == ("100.0", "42.9")  # three of seven words
    assert found["-0.50"] == ("66.7", "20.0")  # one of five
    assert found["-0.10"] == ("33.3", "0.0")


def test_the_manifest_has_texts_above_the_threshold(folder, capsys):
    out = folder / "labelled.tsv"
    label.main(["manifest", str(folder / "teacher.jsonl"), str(out), "--above", "-0.25"])
    assert capsys.readouterr().out == "2 of 3 recordings, 0.00 hours\n"
    written = read_manifest(out)
    assert [(u.path.name, u.text, u.source) for u in written] == [
        ("a.flac", "one two three", "teacher"),
        ("b.flac", "four five", "teacher"),
    ]
    assert [u.duration_s for u in written] == [1.0, 1.0]


def test_texts_that_are_too_long_for_their_recording_are_left_out(folder):
    long = label.Label(folder / "a.flac", "word " * 20, -0.01)
    assert label.keep([long], -1.0, "teacher") == []


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"path": "a.flac"}',
        '{"path": "a", "text": "b", "confidence": 0.5}',
        '{"path": 1, "text": "b", "confidence": -1}',
    ],
)
def test_malformed_lines_are_named(folder, line, capsys):
    (folder / "teacher.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        label.main(["manifest", str(folder / "teacher.jsonl"), str(folder / "out.tsv")])
    assert "teacher.jsonl:1" in capsys.readouterr().err
    assert not (folder / "out.tsv").exists()
