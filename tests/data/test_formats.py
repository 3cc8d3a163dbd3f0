"""Manifests of other toolkits and published corpora, valid and invalid."""

from pathlib import Path

import pytest

from asr_gru.data.manifest import Utterance, read_manifest
from asr_gru.errors import DataError
from tests.data.manifests import write_lines


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
            "sampling_rate": 16_000,
            "num_samples": 960_000,
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
