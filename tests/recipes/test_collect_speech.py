"""Recordings and texts from git directories, with temporary repositories."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from asr_gru.errors import DataError
from recipes.en_small import collect_speech, speech_layouts, speech_sources
from recipes.en_small.speech_sources import Source

RATE = 16_000


def tone(seconds, silence=0.0):
    wave = 0.3 * np.sin(np.arange(int(seconds * RATE)) * 0.1)
    quiet = np.zeros(int(silence * RATE))
    return np.concatenate([quiet, wave, quiet])


@pytest.fixture
def repository(tmp_path):
    """Return a function that commits files to a repository, and lists the snapshots."""

    def commit(name, files):
        base = tmp_path / "snapshots" / name.replace("/", "+") / "repo"
        for path, content in files.items():
            target = base / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.write_text(content, encoding="utf-8")
            else:
                soundfile.write(target, content, RATE)
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(base)]
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "sounds"]):
            subprocess.run([*git, *command], check=True)
        return tmp_path / "snapshots"

    return commit


def use(monkeypatch, **sources):
    monkeypatch.setattr(collect_speech, "SOURCES", sources)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_words_are_trimmed_to_the_speech_and_listed(tmp_path, repository, monkeypatch, capsys):
    snapshots = repository(
        "a/words",
        {
            "yes/0123abcd_nohash_0.wav": tone(0.5, silence=2.0),
            "yes/0123abcd_nohash_1.wav": tone(0.6),
            "view glass/x.wav": tone(0.7),
            "no/broken.wav": "RIFF and no more",
            "off/silent.wav": np.zeros(RATE),
        },
    )
    use(
        monkeypatch,
        words=Source("a/words", "HEAD", r"\.wav$", speech_layouts.name_of_folder, limit=1),
    )
    out = tmp_path / "more2"
    for _ in range(2):  # nothing is left to do the second time
        collect_speech.main([str(out), "--snapshots", str(snapshots)])
        assert "2 of 4 clips" in capsys.readouterr().out
    rows = rows_of(out / "more2.tsv")
    assert [(r["text"], r["speaker"]) for r in rows] == [
        ("view glass", ""),
        ("yes", "words-0123abcd"),
    ]
    samples, rate = soundfile.read(out / rows[1]["path"])
    assert rate == RATE
    assert len(samples) / rate == pytest.approx(1.3, abs=0.05)
    assert np.abs(samples).max() == pytest.approx(0.3, rel=0.1)


def test_words_with_the_same_recording_are_all_listed(tmp_path, repository, monkeypatch):
    snapshots = repository("a/words", {"one.wav": tone(0.5), "won.wav": tone(0.5)})
    use(monkeypatch, words=Source("a/words", "HEAD", r"\.wav$", speech_layouts.name_of_file))
    out = tmp_path / "more2"
    collect_speech.main([str(out), "--snapshots", str(snapshots)])
    assert [row["text"] for row in rows_of(out / "more2.tsv")] == ["one", "won"]


def test_texts_of_evaluation_lists_are_left_out(tmp_path, repository, monkeypatch, capsys):
    sounds = {"one_two_three_four.wav": tone(1.5), "two.wav": tone(0.5)}
    snapshots = repository("a/words", sounds)
    use(monkeypatch, words=Source("a/words", "HEAD", r"\.wav$", speech_layouts.name_of_file))
    held_out = tmp_path / "dev.tsv"
    held_out.write_text("path\ttext\na.wav\tOne two three four.\nb.wav\ttwo\n", encoding="utf-8")
    out = tmp_path / "more2"
    collect_speech.main([str(out), "--snapshots", str(snapshots), "--held-out", str(held_out)])
    assert "1 text held out" in capsys.readouterr().out
    assert [row["text"] for row in rows_of(out / "more2.tsv")] == ["two"]


def test_a_teacher_selects_the_reading(tmp_path, repository, monkeypatch, capsys):
    labels = {
        f"{name}.wav": {"intent": "orderDrink", "slots": {"coffeeDrink": "latte", "size": "small"}}
        for name in ("a", "b", "c")
    }
    snapshots = repository(
        "a/coffee",
        {
            **{f"data/speech/clean/{name}.wav": tone(2.0 + ord(name) / 1000) for name in "abc"},
            "data/label/label.json": json.dumps(labels),
        },
    )
    use(
        monkeypatch,
        coffee=Source("a/coffee", "HEAD", r"clean/.*\.wav$", speech_layouts.read_coffee),
    )
    out = tmp_path / "more2"
    collect_speech.main([str(out), "--snapshots", str(snapshots)])
    assert "3 need a teacher's text" in capsys.readouterr().out
    unlabelled = (out / "unlabelled.txt").read_text(encoding="utf-8").split()
    heard = ("Can I get a small, la tay?", "The weather is fine today.")
    lines = [
        json.dumps({"path": path, "text": text, "confidence": -0.1}) + "\n"
        for path, text in zip(unlabelled, heard, strict=False)
    ]
    (out / "teacher.jsonl").write_text("".join(lines), encoding="utf-8")
    collect_speech.main(
        [str(out), "--snapshots", str(snapshots), "--labels", str(out / "teacher.jsonl")]
    )
    printed = capsys.readouterr().out
    assert "1 no reading near" in printed
    assert "1 unlabelled" in printed
    (row,) = rows_of(out / "more2.tsv")
    assert row["text"] == "can i get a small latte"
    assert row["text_by"] == "source, reading by teacher"


def test_numbers_and_addresses_have_several_readings(repository, tmp_path):
    header = "Response_ID,file_name,Name,Number,Address\n"
    row = "R1,audio_data/{}/R1.wav,Ann Lee,305,14 Elm Street 568\n"
    table = header + "".join(row.format(kind) for kind in ("Names", "Numbers", "Addresses"))
    paths = [f"audio_data/{kind}/R1.wav" for kind in ("Names", "Numbers", "Addresses")]
    clips = list(speech_layouts.read_alphanumeric(paths, lambda _path: table))
    assert clips[0].texts == ("a n n l e e", "ann lee", "ann lee a n n l e e")
    assert clips[1].texts == ("three zero five", "three oh five")
    assert {
        "one four elm street five six eight",
        "fourteen elm street five sixty eight",
    } < set(clips[2].texts)
    assert {(clip.speaker, clip.sure) for clip in clips} == {("R1", False)}


def test_alignments_and_tables_give_texts():
    align = "0 100 sil\n100 200 bin\n200 300 blue\n300 310 sp\n310 400 now\n"
    (clip,) = speech_layouts.read_grid(["data/s1/a.mpg"], lambda _path: align)
    assert (clip.texts, clip.speaker) == (("bin blue now",), "s1")
    table = "x.wav,a cheddar block,en,\ny.wav,,en,\n"
    paths = ["not-wake-words/en/x.wav", "not-wake-words/en/y.wav"]
    (clip,) = speech_layouts.read_community_words(paths, lambda _path: table)
    assert clip.texts == ("a cheddar block",)


def test_a_teacher_writes_the_texts_that_a_repository_lacks(
    tmp_path, repository, monkeypatch, capsys
):
    snapshots = repository(
        "a/voices", {f"read/78-1-{n}.flac": tone(1.0 + n / 10) for n in range(2)}
    )
    use(monkeypatch, libri=Source("a/voices", "HEAD", r"\.flac$", speech_layouts.read_librispeech))
    out = tmp_path / "more2"
    collect_speech.main([str(out), "--snapshots", str(snapshots)])
    assert "2 need a teacher's text" in capsys.readouterr().out
    unlabelled = (out / "unlabelled.txt").read_text(encoding="utf-8").split()
    lines = [
        json.dumps({"path": path, "text": text, "confidence": confidence}) + "\n"
        for path, text, confidence in zip(
            unlabelled, ("A letter came.", "A better game."), (-0.2, -0.3), strict=True
        )
    ]
    (out / "teacher.jsonl").write_text("".join(lines), encoding="utf-8")
    collect_speech.main(
        [str(out), "--snapshots", str(snapshots), "--labels", str(out / "teacher.jsonl")]
    )
    rows = rows_of(out / "more2.tsv")
    assert [(r["speaker"], r["text"], r["text_by"], r["confidence"]) for r in rows] == [
        ("libri-78", "a letter came", "teacher", "-0.200"),
    ]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs FFmpeg")
def test_the_audio_of_a_video_is_decoded(tmp_path):
    sound, video = tmp_path / "a.wav", tmp_path / "a.mpg"
    soundfile.write(sound, tone(1.0), RATE)
    made = ["-f", "lavfi", "-i", "color=size=64x48:rate=25:duration=1", "-i", str(sound)]
    command = ["ffmpeg", "-v", "error", *made, "-c:a", "mp2", "-ar", "44100", str(video)]
    subprocess.run(command, check=True)
    samples = collect_speech.decode(video.read_bytes())
    assert len(samples) / RATE == pytest.approx(1.0, abs=0.1)
    assert np.abs(samples).max() == pytest.approx(0.3, rel=0.15)


def test_undecodable_files_are_refused():
    with pytest.raises(DataError, match=r"can read it|not installed"):
        collect_speech.decode(b"RIFF and no more")


def test_a_file_missing_from_the_commit_is_named(repository):
    snapshots = repository("a/b", {"s1/a.wav": tone(1.0)})
    source = Source("a/b", "HEAD", r"\.wav$", speech_layouts.read_grid)
    with pytest.raises(DataError, match=r"a/b: no data/alignments/s1/a\.align"):
        list(collect_speech.find_clips(snapshots / "a+b" / "repo" / ".git", source))


def test_a_commit_missing_from_the_repository_is_named(repository):
    snapshots = repository("a/b", {"yes/a.wav": tone(1.0)})
    source = Source("a/b", "0" * 40, r"\.wav$", speech_layouts.name_of_folder)
    with pytest.raises(DataError, match=r"no commit 0{40} of a/b"):
        list(collect_speech.find_clips(snapshots / "a+b" / "repo" / ".git", source))


def test_a_missing_repository_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        collect_speech.main([str(tmp_path), "--snapshots", str(tmp_path)])
    assert "TVR28/LipNet" in capsys.readouterr().err


def test_every_source_has_a_layout_and_a_pattern():
    for name, source in speech_sources.SOURCES.items():
        assert source.repository.count("/") == 1, name
        assert source.pattern.endswith("$"), name
        assert callable(source.layout), name
