"""Manifests of other toolkits, valid and invalid."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.data.audio import duration_of, load_audio
from asr_gru.data.manifest import (
    Utterance,
    check_files,
    name_manifests,
    read_manifest,
    write_manifest,
)
from asr_gru.errors import AudioError, DataError

RATE = 16_000


def write_lines(path: Path, *lines: object) -> Path:
    text = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def cut(**changes):
    return {
        "id": "c",
        "type": "MonoCut",
        "start": 10.0,
        "duration": 5.0,
        "channel": 0,
        "recording": {
            "id": "r",
            "sources": [{"type": "file", "channels": [0], "source": "talk.wav"}],
            "sampling_rate": RATE,
            "num_samples": 60 * RATE,
            "duration": 60.0,
        },
        "supervisions": [
            {"id": "s", "recording_id": "r", "start": 0.5, "duration": 2.0, "text": "one  two"},
            {"id": "t", "recording_id": "r", "start": 3.0, "duration": 1.0, "text": "three",
             "speaker": "ann"},
        ],
    } | changes  # fmt: skip


def test_nemo_manifests_are_read(tmp_path):
    path = write_lines(
        tmp_path / "train.json",
        {"audio_filepath": "a.wav", "duration": 1.5, "text": "hello", "lang": "en", "speaker": 7},
        "",
        {"audio_filepath": "/far/b.wav", "duration": 2, "text": "there\tnow", "offset": 0.25},
    )
    assert read_manifest(path) == [
        Utterance(tmp_path / "a.wav", "hello", 1.5, "7"),
        Utterance(Path("/far/b.wav"), "there now", 2.0, start_s=0.25),
    ]


def test_each_supervision_of_a_cut_is_an_utterance(tmp_path):
    path = write_lines(tmp_path / "cuts.jsonl.gz", cut())
    assert read_manifest(path) == [
        Utterance(tmp_path / "talk.wav", "one two", 2.0, start_s=10.5),
        Utterance(tmp_path / "talk.wav", "three", 1.0, "ann", start_s=13.0),
    ]


def test_a_cut_of_a_whole_recording_is_not_a_segment(tmp_path):
    said = [{"start": 0.0, "duration": 60.0, "text": "all of it"}]
    path = write_lines(tmp_path / "cuts.jsonl", cut(start=0.0, duration=60.0, supervisions=said))
    assert read_manifest(path) == [Utterance(tmp_path / "talk.wav", "all of it", 60.0)]


def test_recordings_of_supervisions_are_read_from_the_file_beside_them(tmp_path):
    whole = cut()
    write_lines(tmp_path / "my_recordings_dev.jsonl.gz", whole["recording"])
    path = write_lines(tmp_path / "my_supervisions_dev.jsonl.gz", *whole["supervisions"])
    assert [u.start_s for u in read_manifest(path)] == [0.5, 3.0]
    lost = write_lines(tmp_path / "supervisions.jsonl", *whole["supervisions"])
    with pytest.raises(DataError, match=r"recordings\.jsonl: No such file"):
        read_manifest(lost)


SOURCE = {"id": "r", "duration": 60.0}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ({"audio_filepath": "a.wav"}, "no text"),
        ({"audio_filepath": "a.wav", "text": "a", "offset": 1.0}, "offset without duration"),
        ({"audio_filepath": "a.wav", "text": "a", "duration": -1}, "duration is -1"),
        ({"audio_filepath": "../a.wav", "text": "a"}, "outside"),
        ({"audio_filepath": "x/../../a.wav", "text": "a"}, "outside"),
        ({"audio_filepath": "s3://bucket/a.wav", "text": "a"}, "URL"),
        ({"audio_filepath": 3, "text": "a"}, "audio_filepath"),
        ({"name": "a.wav"}, "neither audio_filepath"),
        ("{" * 100_000, ":1: "),
        ('{"audio_filepath": "a.wav"', ":1: "),
        (cut(type="MixedCut"), "a MixedCut"),
        (cut(recording=None), "without a recording"),
        (cut(supervisions=[{"start": 0, "duration": 1}]), "without text"),
        (
            cut(recording=SOURCE | {"sources": [{"type": "command", "source": "touch hacked"}]}),
            "from a command",
        ),
        (
            cut(
                recording=SOURCE
                | {"sources": [{"type": "file", "channels": [0, 1], "source": "a.wav"}]}
            ),
            "channels",
        ),
    ],
)
def test_unusable_json_is_refused_with_its_line(tmp_path, line, named):
    path = write_lines(tmp_path / "list.jsonl", line)
    with pytest.raises(DataError, match=named):
        read_manifest(path)
    assert not (tmp_path / "hacked").exists()


def test_damaged_gzip_is_refused_with_its_name(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(b"not gzip")
    whole = write_lines(tmp_path / "b.jsonl.gz", cut()).read_bytes()
    (tmp_path / "c.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    for name in "ac":
        with pytest.raises(DataError, match="damaged"):
            read_manifest(tmp_path / f"{name}.jsonl.gz")


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


def test_librispeech_folders_are_read(tmp_path):
    part = tmp_path / "LibriSpeech" / "dev-clean"
    write_lines(part / "84" / "121" / "84-121.trans.txt", "84-121-0000 GO ON", "84-121-0001 YES")
    first, _ = read_manifest(part)
    chapter = part / "84" / "121"
    assert first == Utterance(
        chapter / "84-121-0000.flac", "go on", 0.0, "84", "librispeech-dev-clean", "GO ON"
    )
    assert read_manifest(part.parent)[0] == read_manifest(chapter)[0] == first
    write_lines(part.parent / "test-clean" / "1" / "2" / "1-2.trans.txt", "1-2-0000 NO")
    with pytest.raises(DataError, match=r"several parts \(dev-clean, test-clean\)"):
        read_manifest(part.parent)
    write_lines(part / "84" / "121" / "84-121.trans.txt", "../../secret GO ON")
    with pytest.raises(DataError, match=":1: not a name"):
        read_manifest(part)


def test_common_voice_lists_are_read(tmp_path):
    path = write_lines(
        tmp_path / "en" / "train.tsv",
        "client_id\tpath\tsentence_id\tsentence\tup_votes\tlocale",
        'ab12\tcommon_voice_en_1.mp3\t9\t"Well," he said.\t2\ten',
    )
    (utterance,) = read_manifest(path)
    assert utterance == Utterance(
        tmp_path / "en" / "clips" / "common_voice_en_1.mp3",
        '"Well," he said.',
        speaker="ab12",
        source="common-voice",
        written='"Well," he said.',
    )
    (tmp_path / "en" / "clips").mkdir()
    with pytest.raises(DataError, match=r"give one of its lists: train\.tsv"):
        read_manifest(path.parent)
    for name in ("/etc/passwd", "../secret.mp3"):
        write_lines(path, "client_id\tpath\tsentence", f"a\t{name}\thi")
        with pytest.raises(DataError, match="name a file of the folder"):
            read_manifest(path)


def test_a_folder_that_is_not_a_corpus_is_refused(tmp_path):
    with pytest.raises(DataError, match="neither a Kaldi data directory"):
        read_manifest(tmp_path)
    (tmp_path / "train.tsv").touch()
    with pytest.raises(DataError, match=r"lists: train\.tsv"):
        read_manifest(tmp_path)


def test_tables_can_have_segments(tmp_path):
    said = [
        Utterance(tmp_path / "a.wav", "x", 1.25, start_s=0.0),
        Utterance(tmp_path / "a.wav", "y", 2.125, "s", start_s=3_600.125),
        Utterance(tmp_path / "b.wav", "z", 1.5),
    ]
    for name in ("list.tsv", "list.jsonl"):
        write_manifest(tmp_path / name, said)
        assert read_manifest(tmp_path / name) == said
    assert said[1].key == tmp_path / "a.wav#t=3600.125,3602.250"
    write_lines(tmp_path / "no.tsv", "path\ttext\tstart_s", "a.wav\thi\t3")
    with pytest.raises(DataError, match="segment without duration_s"):
        read_manifest(tmp_path / "no.tsv")


def test_paths_outside_the_folder_are_refused(tmp_path):
    write_lines(tmp_path / "list.tsv", "path\ttext", "../a.wav\thi")
    with pytest.raises(DataError, match="outside"):
        read_manifest(tmp_path / "list.tsv")


def test_missing_recordings_are_listed_up_to_a_limit(tmp_path):
    missing = [Utterance(tmp_path / f"{n}.wav", "a") for n in range(8)]
    with pytest.raises(DataError, match=r"0\.wav, .*4\.wav and 3 more: named in the manifest"):
        check_files(missing)


def test_manifests_have_distinct_names(tmp_path):
    assert name_manifests(["a/dev.tsv", "b/test.jsonl.gz"]) == ["dev", "test"]
    names = name_manifests(["a/x/dev.tsv", "b/x/dev.tsv", "a/y/dev.tsv", "b/c.tsv"])
    assert names == ["a/x/dev", "b/x/dev", "y/dev", "c"]
    (tmp_path / "v1.2").mkdir()
    assert name_manifests([tmp_path / "v1.2"]) == ["v1.2"]
    assert name_manifests(["dev.tsv", "dev.jsonl"]) == ["dev.tsv", "dev.jsonl"]
    assert name_manifests(["a/dev.tsv", "a/dev.tsv", "b/dev.tsv"]) == ["a/dev", "a/dev", "b/dev"]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [RATE, 22_050])
def test_segments_are_read_from_their_part_of_the_recording(tmp_path, name, rate):
    chirp = np.sin(np.cumsum(np.linspace(0.02, 0.6, 4 * rate))) * 0.5
    soundfile.write(tmp_path / name, chirp, rate)
    whole = load_audio(Utterance(tmp_path / name, ""), RATE)
    part = load_audio(Utterance(tmp_path / name, "", 1.5, start_s=1.2), RATE)
    assert len(part) == pytest.approx(1.5 * RATE, abs=1)
    expected = whole[round(1.2 * RATE) :][: len(part)]
    middle = slice(RATE // 10, -RATE // 10)  # the resampler's filter sees other samples
    assert np.abs(part - expected)[middle].max() < 0.02


def test_a_segment_past_the_end_is_shortened_or_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(2 * RATE), RATE)
    assert len(load_audio(Utterance(tmp_path / "a.wav", "", 3.0, start_s=1.5), RATE)) == RATE // 2
    for start_s in (2.0, 5.0):
        with pytest.raises(AudioError, match="ends before the segment"):
            load_audio(Utterance(tmp_path / "a.wav", "", 1.0, start_s=start_s), RATE)


def test_durations_come_from_the_manifest_or_the_recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert duration_of(Utterance(tmp_path / "a.wav", "")) == 1.0
    assert duration_of(Utterance(tmp_path / "a.wav", "", 0.5, start_s=0.1)) == 0.5
