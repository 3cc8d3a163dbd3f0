import json
import os
from pathlib import Path

import pytest

from asr_gru.data.manifest import read_manifest
from tests.cli.test_refusals import refuse

AUDIO = "audio_samples/read.flac"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Why do I really know you?", encoding="utf-8")
    return path


def test_words_phones_and_mismatches_are_printed(run, text):
    result = run("align", text, AUDIO)
    assert result.status == 0
    assert [line.split()[4] for line in result.out.splitlines()] == [
        "Why", "do", "I", "really", "know", "you?",
    ]  # fmt: skip
    assert "not spoken: 'really'" in result.err
    phones = run("align", text, AUDIO, "--phones").out.splitlines()
    assert [line.split()[4] for line in phones][:3] == ["W", "AY", "D"]


def test_a_manifest_is_aligned_into_files_and_a_report(run, tmp_path):
    out, report = tmp_path / "out", tmp_path / "report.tsv"
    manifest = tmp_path / "list.tsv"
    samples = read_manifest("audio_samples/samples.tsv")
    lines = [f"{u.path.absolute()}\t{u.text}" for u in samples if u.duration_s < 10]
    manifest.write_text("\n".join(["path\ttext", *lines, "no.wav\thello"]), encoding="utf-8")
    result = run(
        "align", "--manifest", manifest, "--output-dir", out, "--report", report,
        "--format", "TextGrid", "--format", "json", "--format", "srt",
    )  # fmt: skip
    assert result.status == 1  # no.wav
    assert "no.wav" in result.err
    assert len(list(out.iterdir())) == 3 * len(lines)
    words = json.loads((out / "read.json").read_text())["segments"][0]["words"]
    assert [word["text"] for word in words] == ["why", "do", "i", "know", "you"]
    header, *rows = report.read_text().splitlines()
    assert header.split("\t") == ["recording", "start_s", "end_s", "kind", "text", "heard"]
    assert all(row.count("\t") == 5 for row in rows)


def test_a_recording_whose_name_is_not_utf_8_is_aligned(run, text, tmp_path):
    text.write_text("Why do I know you?", encoding="utf-8")
    audio = tmp_path / os.fsdecode(b"caf\xe9.flac")
    audio.write_bytes(Path(AUDIO).read_bytes())
    out, report = tmp_path / "out", tmp_path / "report.tsv"
    result = run("align", text, audio, "--output-dir", out, "--report", report)
    assert result.status == 0
    assert (out / f"{audio.stem}.ctm").read_text(encoding="utf-8").startswith("caf\ufffd 1 ")
    assert report.read_text(encoding="utf-8").startswith("recording\t")


def test_a_lexicon_can_be_given(run, tmp_path, text):
    lexicon = tmp_path / "own.dict"
    lexicon.write_text("WHY  HH W AY\n", encoding="utf-8")
    phones = run("align", text, AUDIO, "--phones", "--lexicon", lexicon).out.splitlines()
    assert [line.split()[4] for line in phones][:3] == ["HH", "W", "AY"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "TEXT and AUDIO"),
        (["TEXT"], "TEXT and AUDIO"),
        (["none.txt", AUDIO], "none.txt"),
        (["FOLDER", AUDIO], "align-corpus"),
        (["TEXT", "none.wav"], "none.wav"),
        ([AUDIO, AUDIO], "UTF-8"),
        (["EMPTY", AUDIO], "no words"),
        (["TEXT", AUDIO, "--format", "srtt"], "'srt'"),
        (["TEXT", AUDIO, "--format", "srt", "--format", "ctm"], "--output-dir"),
        (["TEXT", AUDIO, "--format", "srt", "--phones"], "--phones"),
        (["--manifest", "audio_samples/samples.tsv"], "--output-dir"),
        (["TEXT", AUDIO, "--manifest", "x.tsv", "--output-dir", "FOLDER"], "--manifest"),
        (["TEXT", AUDIO, "--lexicon", "none.dict"], "none.dict"),
        (["TEXT", AUDIO, "--model", "en-smol"], "en-smol"),
        (["TEXT", "none.wav", "--report", "no/places.tsv"], "no: no such folder"),
        (["TEXT", "none.wav", "--report", "FOLDER"], "is a folder"),
    ],
)
def test_wrong_arguments_are_refused(run, text, tmp_path, arguments, named):
    empty = tmp_path / "empty.txt"
    empty.write_text("…", encoding="utf-8")
    known = {"TEXT": text, "FOLDER": tmp_path, "EMPTY": empty}
    refuse(run("align", *(known.get(argument, argument) for argument in arguments)), named)
