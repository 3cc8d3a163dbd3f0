"""The recipe that cuts single words out of longer recordings."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import soundfile

from asr_gru.data.manifest import read_manifest
from asr_gru.data.utterance import Utterance
from asr_gru.results import Word
from recipes.en_small import single_words

SAMPLES = Path(__file__).parents[2] / "audio_samples"
WORDS = [
    Word("so", 0.5, 0.8, 0.9),  # after a pause
    Word("run", 0.8, 1.2, 0.9),  # no pause
    Word("together", 1.2, 1.8, 0.9),  # before a pause
    Word("perhaps", 2.2, 2.8, 0.3),  # doubtful
    Word("a", 3.1, 3.2, 0.9),  # too short
    Word("day", 3.5, 4.0, 0.9),  # between pauses
]


def cut(**changes):
    utterance = Utterance(Path("a.flac"), "so run together perhaps a day", 4.2, "s", **changes)
    return single_words.cut_words(utterance, WORDS, random.Random(0))


def test_words_beside_a_pause_are_cut_out():
    found = cut()
    assert [one.text for one in found] == ["so", "together", "day"]
    assert {(one.path, one.speaker, one.source) for one in found} == {
        (Path("a.flac"), "s", "single-words")
    }


def test_a_part_of_the_pause_stays_and_nothing_of_the_neighbours():
    so, together, day = cut()
    assert 0.35 <= so.start_s <= 0.48
    assert 0.8 <= so.start_s + so.duration_s <= 0.83
    assert 1.17 <= together.start_s <= 1.2
    assert 1.82 <= together.start_s + together.duration_s <= 1.95
    assert 3.35 <= day.start_s <= 3.48
    assert day.start_s + day.duration_s <= 4.2


def test_times_are_those_of_the_recording_if_the_utterance_is_a_segment():
    assert [one.start_s for one in cut(start_s=10.0)] == pytest.approx(
        [10.0 + one.start_s for one in cut()]
    )


def test_the_manifest_names_segments_of_the_recordings(tmp_path):
    table = tmp_path / "train.tsv"
    sample = SAMPLES / "synthetic.wav"
    rows = [
        f"{sample}\tthe train to the coast leaves at nine in the morning\tslt",
        f"{sample}\tnobody said any of this here\tslt",
        f"{sample}\tmorning\tslt",
    ]
    table.write_text("path\ttext\tsource\n" + "\n".join(rows) + "\n", encoding="utf-8")
    out = tmp_path / "words.jsonl"
    assert single_words.main([str(table), str(out), "--sources", "slt"]) == 0
    words = read_manifest(out)
    spoken = rows[0].split("\t")[1].split()
    length = soundfile.info(sample).duration
    assert words
    assert {one.text for one in words} <= set(spoken)
    for one in words:
        assert one.start_s is not None
        assert 0 <= one.start_s < one.start_s + one.duration_s <= length + 0.001


def test_only_the_words_that_are_asked_for_are_cut_out(tmp_path):
    table, out = tmp_path / "train.tsv", tmp_path / "words.jsonl"
    rows = [f"{SAMPLES / 'read.flac'}\twhy do i know you", f"{tmp_path / 'none.wav'}\tnot read"]
    table.write_text("path\ttext\n" + "\n".join(rows) + "\n", encoding="utf-8")
    more = ["--name", "few", "--words", "why", "I", "of"]
    assert single_words.main([str(table), str(out), *more]) == 0
    assert [(one.text, one.source) for one in read_manifest(out)] == [("why", "few"), ("i", "few")]


def test_a_manifest_without_words_is_not_written(tmp_path, capsys):
    table = tmp_path / "train.tsv"
    table.write_text(f"path\ttext\n{tmp_path}/none.wav\tone two\n", encoding="utf-8")
    assert single_words.main([str(table), str(tmp_path / "words.jsonl")]) == 1
    assert "no word could be cut out" in capsys.readouterr().err
    assert not (tmp_path / "words.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["OUT.tsv"], "ends in .jsonl"),
        (["none/OUT.jsonl"], "none: no such folder; create it"),
        (["OUT.jsonl", "--sources", "other"], "no utterance of several words"),
        (["OUT.jsonl", "--words", "three"], "no utterance of several words"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, arguments, message, capsys):
    table = tmp_path / "train.tsv"
    table.write_text("path\ttext\na.wav\tone two\n", encoding="utf-8")
    out, *others = arguments
    assert single_words.main([str(table), str(tmp_path / out), *others]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
