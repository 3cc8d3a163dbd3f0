"""Kaldi data directories, valid and invalid."""

from pathlib import Path

import pytest

from asr_gru.data.manifest import Utterance, read_manifest
from asr_gru.errors import DataError
from tests.data.manifests import write_lines


@pytest.fixture
def kaldi(tmp_path):
    folder = tmp_path / "data" / "train"
    write_lines(folder / "wav.scp", "r1 /corpus/one.wav", "r2 my two.wav")
    write_lines(folder / "segments", "u1 r1 0 2.5", "u2 r1 2.5 4.0", "u3 r2 1 2")
    write_lines(folder / "text", "u1 HELLO  there", "u2 b", "u3 c")
    write_lines(folder / "utt2spk", "u1 ann", "u2 ann", "u3 bob")
    return folder


def test_kaldi_with_segments(kaldi):
    assert read_manifest(kaldi) == [
        Utterance(Path("/corpus/one.wav"), "HELLO there", 2.5, "ann", start_s=0.0),
        Utterance(Path("/corpus/one.wav"), "b", 1.5, "ann", start_s=2.5),
        Utterance(kaldi / "my two.wav", "c", 1.0, "bob", start_s=1.0),
    ]


def test_kaldi_without_segments(kaldi):
    (kaldi / "segments").unlink()
    (kaldi / "utt2spk").unlink()
    write_lines(kaldi / "text", "r1 a", "r2 b")
    write_lines(kaldi / "utt2dur", "r1 3.5")
    assert read_manifest(kaldi, root="/base") == [
        Utterance(Path("/corpus/one.wav"), "a", 3.5),
        Utterance(Path("/base/my two.wav"), "b"),
    ]


@pytest.mark.parametrize(
    ("file", "lines", "named"),
    [
        ("wav.scp", ["r1 touch hacked; cat x.wav |", "r2 b.wav"], "command, which is never run"),
        ("wav.scp", ["r1 -", "r2 b.wav"], "command"),
        ("wav.scp", ["r1 raw.ark:1234", "r2 b.wav"], "archive"),
        ("wav.scp", ["r1 ../../../etc/passwd", "r2 b.wav"], "outside"),
        ("wav.scp", ["r1", "r2 b.wav"], "no path"),
        ("wav.scp", ["r1 a.wav"], r"wav\.scp: has no r2"),
        ("wav.scp", ["r1 a.wav", "r1 b.wav"], "a second time"),
        ("text", ["u1 a"], "no text of u2, u3"),
        ("text", ["u1 a", "u2 b", "u3 c", *(f"v{n} d" for n in range(9))], "v4 and 4 more"),
        ("segments", ["u1 r1 2 1", "u2 r1 0 1", "u3 r2 0 1"], "not after its start"),
        ("segments", ["u1 r1 2", "u2 r1 0 1", "u3 r2 0 1"], "RECORDING START END"),
        ("segments", ["u1 r1 nan 1", "u2 r1 0 1", "u3 r2 0 1"], "'nan'"),
    ],
)
def test_unusable_kaldi_directories_are_refused(kaldi, monkeypatch, file, lines, named):
    monkeypatch.chdir(kaldi)
    write_lines(kaldi / file, *lines)
    with pytest.raises(DataError, match=named):
        read_manifest(kaldi)
    assert not (kaldi / "hacked").exists()
