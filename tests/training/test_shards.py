"""Training on shards equals training on the same recordings as files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr_gru.data.manifest import read_manifest
from asr_gru.data.shards import expand_shards, read_shard
from asr_gru.errors import ConfigError, DataError
from asr_gru.text import build_character_tokenizer
from asr_gru.training.augment import Augmenter
from asr_gru.training.config import AugmentConfig
from asr_gru.training.dataset import TrainingSet
from asr_gru.training.shard_corpus import ShardCorpus, index_shards

webdataset = pytest.importorskip("webdataset")
RATE = 16_000


def write_shards(root: Path, folder: str = "shards", maxcount: int = 5) -> Path:
    """Write the training list of ``root`` as shards, with webdataset itself."""
    (root / folder).mkdir()
    pattern = str(root / folder / "train-%02d.tar")
    with webdataset.ShardWriter(pattern, maxcount=maxcount, verbose=0) as sink:
        for number, utterance in enumerate(read_manifest(root / "train.tsv")):
            label = {"text": utterance.text, "source": utterance.source}
            audio = utterance.path.read_bytes()
            sink.write({"__key__": f"{number:06d}", "wav": audio, "json": label})
    return root / folder


@pytest.fixture(scope="module")
def shards(tone_corpus_root) -> Path:
    return write_shards(tone_corpus_root)


def test_shards_hold_the_recordings_of_the_manifest(shards, tone_corpus_root, tmp_path):
    names = expand_shards([f"{shards}/train-{{00..03}}.tar"])
    corpus = index_shards(names, tmp_path, RATE)
    listed = read_manifest(tone_corpus_root / "train.tsv")
    assert len(corpus) == len(listed) == 16
    for index, (found, utterance) in enumerate(zip(corpus.utterances, listed, strict=True)):
        assert (found.text, found.source) == (utterance.text, utterance.source)
        samples, _ = soundfile.read(utterance.path, dtype="float32")
        np.testing.assert_array_equal(corpus.samples(index), samples)
        assert corpus.duration_s(index) == len(samples) / RATE
    assert found.key == Path(names[3]) / "000015.wav"

    remote = index_shards([f"file://{name}" for name in names], tmp_path, RATE)
    assert remote.key != corpus.key
    np.testing.assert_array_equal(remote.samples(7), corpus.samples(7))


@pytest.mark.parametrize("tokens", ["characters", "phones"])
def test_a_run_on_shards_is_that_on_files(shards, tone_corpus, tmp_path, tokens, monkeypatch):
    data = {"tokens": tokens, "weights": {"first": 0.5}}
    augment = {"speed_prob": 0.5, "babble_prob": 0.5}
    config = tone_corpus.config(data=data, augment=augment)
    state, losses = tone_corpus.train(tmp_path / "files", config)
    data["train"] = ["shards/train-{00..03}.tar"]
    config = tone_corpus.config(data=data, augment=augment)
    other, from_shards = tone_corpus.train(tmp_path / "shards", config)
    assert from_shards == losses
    for name, value in state.weights.items():
        assert torch.equal(other.weights[name], value)

    # a later start reads the index alone
    monkeypatch.setattr("asr_gru.training.shard_corpus.read_shard", None)
    monkeypatch.setattr("asr_gru.training.shard_texts._texts", None)
    parts, _ = tone_corpus.train(tmp_path / "parts", config, stop_after=1)
    parts, _ = tone_corpus.train(tmp_path / "parts", config)
    for name, value in state.weights.items():
        assert torch.equal(parts.weights[name], value)


def test_a_changed_shard_is_indexed_again(shards, tmp_path):
    copy = tmp_path / "a.tar"
    copy.write_bytes((shards / "train-00.tar").read_bytes())
    assert len(index_shards([str(copy)], tmp_path, RATE)) == 5
    copy.write_bytes((shards / "train-03.tar").read_bytes())
    assert len(index_shards([str(copy)], tmp_path, RATE)) == 1


def test_damaged_recordings_are_listed_and_left_out(tone_corpus, tmp_path):
    root = tone_corpus.root
    folder = write_shards(root, "damaged", 16)
    shard = folder / "train-00.tar"
    samples = {sample.name: sample for sample in read_shard(str(shard))}
    data = bytearray(shard.read_bytes())
    first, second = samples["000000.wav"], samples["000001.wav"]
    data[first.offset : first.offset + 100] = bytes(100)  # its header: found by the index
    shard.write_bytes(data)
    corpus = index_shards([str(shard)], tmp_path, RATE)
    assert [path.name for path in corpus.unreadable] == ["000000.wav"]
    assert len(corpus) == 15

    notes: list[str] = []
    config = tone_corpus.config(data={"train": ["damaged/train-00.tar"]}, epochs=1)
    index = ShardCorpus(tmp_path / corpus.key, RATE)
    assert index.utterances[0].path.name == "000001.wav"
    data[second.offset : second.offset + 100] = bytes(100)
    before = shard.stat()
    shard.write_bytes(data)  # after the index was made
    import os

    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    (root / "cache").mkdir(exist_ok=True)
    (tmp_path / corpus.key).rename(root / "cache" / corpus.key)
    from asr_gru.training.loop import Run, train

    from .conftest import ALONE

    train(config, Run(tmp_path / "run", root=root, cache=root / "cache"), ALONE, notes.append)
    left_out = [note for note in notes if note.startswith("left out: ")]
    assert len(left_out) == 2
    assert "000000.wav" in left_out[0]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"no archive" * 100), "uncompressed, whole tar files"),
        (lambda path: tarfile.open(path, "w:gz").close(), "uncompressed, whole tar files"),
        (lambda path: tarfile.open(path, "w").close(), "names no other recording"),
        (lambda path: None, "No such file"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, write, message):
    write(tmp_path / "a.tar")
    with pytest.raises(DataError, match=message):
        index_shards([str(tmp_path / "a.tar")], tmp_path, RATE)


def test_a_sample_without_a_text_and_one_cut_short_are_refused(shards, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), RATE)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "a.wav", "x/a.wav")
    with pytest.raises(DataError, match=r"a\.tar: x/a: no text"):
        list(read_shard(str(tmp_path / "a.tar")))
    whole = (shards / "train-00.tar").read_bytes()
    (tmp_path / "b.tar").write_bytes(whole[:20_000])
    with pytest.raises(DataError, match=r"b\.tar: unexpected end of data"):
        list(read_shard(str(tmp_path / "b.tar")))


def write_tar(path: Path, members: dict[str, bytes], encoding: str = "utf-8") -> str:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding=encoding) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def recording(seconds: float = 1.0, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    noise = 0.1 * np.random.default_rng(0).standard_normal(int(seconds * RATE))
    soundfile.write(file, noise, RATE, format=kind)
    return file.getvalue()


@pytest.mark.parametrize("hidden", ["._0001.wav", ".DS_Store", "a/._0001.txt"])
def test_hidden_files_are_not_samples(tmp_path, hidden):
    members = {hidden: b"x", "0001.wav": recording(), "0001.txt": b"a b"}
    corpus = index_shards([write_tar(tmp_path / "s.tar", members)], tmp_path, RATE)
    assert [u.text for u in corpus.utterances] == ["a b"]


def test_names_that_are_not_utf8_are_read(tmp_path):
    members = {"caf\xe9.wav": recording(), "caf\xe9.txt": b"a b"}
    shard = write_tar(tmp_path / "s.tar", members, "latin-1")
    corpus = index_shards([shard], tmp_path, RATE)
    assert corpus.utterances[0].path == Path(shard) / "caf\udce9.wav"
    assert len(corpus.samples(0)) == RATE


@pytest.mark.parametrize("label", [b'{"text": "a \\ud800"}', b"[" * 500_000])
def test_labels_that_are_no_texts_are_refused_in_one_line(tmp_path, label):
    shard = write_tar(tmp_path / "s.tar", {"0001.wav": recording(), "0001.json": label})
    with pytest.raises(DataError, match="no text; give it"):
        list(read_shard(shard))


def test_a_recording_cut_too_short_for_its_text_becomes_noise(tone_corpus, tmp_path):
    whole = recording(3.0, "FLAC")
    members = {
        "0001.flac": whole[: len(whole) // 4],
        "0001.txt": b"abcd " * 8,
        "0002.flac": whole,
        "0002.txt": b"abcd",
    }
    corpus = index_shards([write_tar(tmp_path / "s.tar", members)], tmp_path, RATE)
    tokens = build_character_tokenizer(["abcd abcd"])
    augmenter = Augmenter(AugmentConfig(), RATE, None, None)
    examples = TrainingSet(corpus, tokens, tone_corpus.config(), augmenter)
    batch = examples.batch([0, 1], (0,))
    assert batch.target_lengths.tolist() == [0, 4]
    assert [path.name for path in examples.damaged] == ["0001.flac"]


def test_ranges():
    assert expand_shards(["a-{08..10}.tar"]) == ["a-08.tar", "a-09.tar", "a-10.tar"]
    assert len(expand_shards(["{0..1}/{000..099}.tar"])) == 200
    many = ("{0..9999999}.tar", "{000..999}/{000..999}.tar", "{0..99999}-{0..99999}.tar")
    for wrong in ("{3..1}.tar", *many):
        with pytest.raises(DataError):
            expand_shards([wrong])


def test_shards_and_manifests_are_not_mixed(tone_corpus, shards, tmp_path):
    config = tone_corpus.config(data={"train": ["train.tsv", "shards/train-00.tar"]})
    with pytest.raises(ConfigError, match="put all recordings into shards"):
        tone_corpus.train(tmp_path / "run", config)
