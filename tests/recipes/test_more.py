"""Recordings from git directories, with temporary repositories."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile

from recipes.en_small import more

HEADER = "path\tduration_s\tsource\ttext\tblob\n"


@pytest.fixture
def snapshots(tmp_path):
    repository = tmp_path / "snapshots" / "korliu+whisper" / "repo"
    repository.mkdir(parents=True)
    tone = np.sin(np.arange(8_000) * 0.1)[:, None] * [0.5, 0.25]
    soundfile.write(repository / "a.wav", tone, 8_000)
    soundfile.write(repository / "empty.wav", np.zeros(0), 8_000)
    (repository / "broken.wav").write_bytes(b"RIFF and no more")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(repository)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "sounds"]):
        subprocess.run([*git, *command], check=True)
    return tmp_path / "snapshots"


def write_list(tmp_path, *rows):
    path = tmp_path / "list.tsv"
    path.write_text(HEADER + "".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_clips_become_mono_flac_beside_a_manifest(tmp_path, snapshots, capsys):
    out = tmp_path / "out"
    clips = write_list(
        tmp_path,
        ("cv/a.flac", "1.0", "commonvoice-13-more", "a tone", "a.wav"),
        ("cv/b.flac", "1.0", "commonvoice-13-more", "broken", "broken.wav"),
        ("cv/c.flac", "1.0", "commonvoice-13-more", "absent", "none.wav"),
        ("cv/d.flac", "1.0", "commonvoice-13-more", "empty", "empty.wav"),
    )
    for _ in range(2):  # nothing is left to do the second time
        more.main([str(clips), str(out), "--snapshots", str(snapshots)])
        printed = capsys.readouterr()
        assert printed.out == "1 of 4 clips, 0.00 hours\n"
        assert "empty.wav: has no samples; left out" in printed.err
        assert "broken.wav" in printed.err
    samples, rate = soundfile.read(out / "cv" / "a.flac")
    assert (rate, samples.shape) == (16_000, (16_000,))
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.375 / np.sqrt(2), rel=0.02)
    assert (out / "list.tsv").read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("../a.flac", "1", "commonvoice-1", "text", "a"), "leads out of the folder"),
        (("a.flac", "1", "elsewhere", "text", "a"), "unknown source"),
        (("a.flac", "1", "commonvoice-1"), "list.tsv:2: has not as many fields as the header"),
        (("a.flac", "1", "commonvoice-1", "text", "a", "b"), "has not as many fields"),
        (("a.flac", "1 s", "commonvoice-1", "text", "a"), "duration_s '1 s' is not a number"),
    ],
)
def test_unsafe_lists_are_refused(tmp_path, row, reason, capsys):
    path = write_list(tmp_path, row)
    assert more.main([str(path), str(tmp_path), "--snapshots", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_list_without_a_column_is_refused(tmp_path, capsys):
    path = tmp_path / "list.tsv"
    path.write_text("path\ttext\na.flac\tone\n", encoding="utf-8")
    assert more.main([str(path), str(tmp_path), "--snapshots", str(tmp_path)]) == 1
    assert "needs the columns path, text, source, blob" in capsys.readouterr().err


def test_a_missing_repository_is_named(tmp_path, capsys):
    clips = write_list(tmp_path, ("a.flac", "1", "commonvoice-1", "text", "a.mp3"))
    assert more.main([str(clips), str(tmp_path / "out"), "--snapshots", str(tmp_path)]) == 1
    assert "hys89" in capsys.readouterr().err


def test_texts_with_low_teacher_confidence_are_left_out(tmp_path, snapshots, capsys):
    path = tmp_path / "list.tsv"
    rows = [("a.flac", "-0.1"), ("b.flac", "-0.4"), ("c.flac", "")]
    lines = [f"{p}\t1.0\tcommonvoice-13-more\ta tone\ta.wav\t{c}\n" for p, c in rows]
    path.write_text(HEADER.rstrip() + "\tconfidence\n" + "".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    more.main([str(path), str(out), "--snapshots", str(snapshots), "--above", "-0.25"])
    assert capsys.readouterr().out == "2 of 2 clips, 0.00 hours\n"
    assert sorted(p.name for p in out.glob("*.flac")) == ["a.flac", "c.flac"]


def test_clips_with_the_same_content_are_all_written(tmp_path, snapshots, capsys):
    repository = snapshots / "korliu+whisper" / "repo"
    (repository / "copy.wav").write_bytes((repository / "a.wav").read_bytes())
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(repository)]
    for command in (["add", "."], ["commit", "-qm", "a copy"]):
        subprocess.run([*git, *command], check=True)
    clips = write_list(
        tmp_path,
        ("cv/a.flac", "1.0", "commonvoice-13-more", "a tone", "a.wav"),
        ("cv/b.flac", "1.0", "commonvoice-13-more", "a tone", "copy.wav"),
    )
    more.main([str(clips), str(tmp_path / "out"), "--snapshots", str(snapshots)])
    assert capsys.readouterr().out == "2 of 2 clips, 0.00 hours\n"
