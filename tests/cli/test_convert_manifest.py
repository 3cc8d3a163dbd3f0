import json

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import read_manifest

RATE = 16_000


@pytest.fixture
def kaldi(tmp_path):
    soundfile.write(tmp_path / "talk.wav", np.full(4 * RATE, 0.1), RATE)
    (tmp_path / "wav.scp").write_text(f"talk {tmp_path / 'talk.wav'}\n")
    (tmp_path / "segments").write_text("u1 talk 0 1.5\nu2 talk 1.5 4\n")
    (tmp_path / "text").write_text("u1 one\nu2 two\n")
    (tmp_path / "utt2spk").write_text("u1 ann\nu2 bob\n")
    return tmp_path


@pytest.mark.parametrize("name", ["out.tsv", "out.jsonl"])
def test_a_kaldi_directory_is_converted_to_a_table(run, kaldi, name):
    result = run("convert-manifest", kaldi, kaldi / name)
    assert (result.status, result.err) == (0, "")
    assert result.out == f"{kaldi / name}: 2 utterances, 0.00 hours\n"
    assert read_manifest(kaldi / name) == read_manifest(kaldi)
    assert str(kaldi) not in (kaldi / name).read_text()  # paths are relative to the list


def test_missing_durations_are_read_from_the_recordings(run, kaldi):
    (kaldi / "lists").mkdir()
    (kaldi / "lists" / "a.tsv").write_text("path\ttext\ntalk.wav\thi\n")
    out = kaldi / "out.json"
    result = run("convert-manifest", kaldi / "lists" / "a.tsv", kaldi, out, "--root", kaldi)
    assert result.status == 0, result.err
    assert [json.loads(line)["duration"] for line in out.read_text().splitlines()] == [4, 1.5, 2.5]


def test_wrong_arguments_are_refused_and_nothing_is_written(run, kaldi):
    out = kaldi / "out.tsv"
    for arguments, named in (
        ((kaldi, kaldi / "out.txt"), "write a .tsv or .jsonl"),
        ((kaldi, kaldi / "no" / "out.tsv"), "no such folder"),
        ((kaldi / "no.tsv", out), "no.tsv"),
        ((kaldi, out, "--root", kaldi / "no"), None),
    ):
        result = run("convert-manifest", *arguments)
        assert named is None or (result.status and named in result.err)
        assert result.err.count("\n") == (named is not None)
    before = out.read_text()
    assert run("convert-manifest", kaldi / "text", out).status == 2
    assert out.read_text() == before
    assert run("convert-manifest", kaldi, out, "--force").status == 0
