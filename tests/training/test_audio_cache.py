"""The cache of decoded recordings, also with concurrent runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import Utterance
from asr_gru.errors import DataError
from asr_gru.training import audio_cache
from asr_gru.training.audio_cache import pack_corpus
from asr_gru.training.dataset import folder_corpus

RATE = 16_000


def test_concurrent_runs_can_share_a_cache(tone_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", threading.get_ident)  # threads stand in for processes
    found = []

    def start_second_run(_done: int) -> None:
        if not found:
            found.append(None)
            other = threading.Thread(
                target=lambda: found.append(
                    folder_corpus(tone_corpus.root / "train", tmp_path, 16_000)
                )
            )
            other.start()
            other.join()

    first = folder_corpus(tone_corpus.root / "train", tmp_path, 16_000, start_second_run)
    second = found[1]
    assert len(first) == len(second) == 16
    assert all(np.array_equal(first.samples(i), second.samples(i)) for i in range(16))
    assert {path.suffix for path in tmp_path.iterdir()} == {".i16", ".json", ".npy"}
    assert len(list(tmp_path.iterdir())) == 3


def write(path: Path, seed: int) -> Utterance:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(seed).standard_normal(RATE // 4)
    soundfile.write(path, samples, RATE)
    return Utterance(path=path, text="a")


def test_a_replaced_recording_of_equal_size_is_decoded_again(tmp_path):
    path = tmp_path / "a.wav"
    before = pack_corpus([write(path, 1)], tmp_path / "cache", RATE).samples(0)
    status = path.stat()
    write(path, 2)
    assert path.stat().st_size == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    after = pack_corpus([Utterance(path=path, text="a")], tmp_path / "cache", RATE).samples(0)
    assert not np.array_equal(before, after)


def test_projects_with_equal_relative_names_share_nothing(tmp_path, monkeypatch):
    corpora = []
    for number, project in enumerate(("one", "two")):
        utterance = write(tmp_path / project / "a.wav", number)
        os.utime(utterance.path, ns=(1, 1))
        monkeypatch.chdir(tmp_path / project)
        relative = Utterance(path=Path("a.wav"), text="a")
        corpora.append(pack_corpus([relative], tmp_path / "cache", RATE))
    assert not np.array_equal(corpora[0].samples(0), corpora[1].samples(0))


@pytest.mark.parametrize("change", ["rate", "version"])
def test_other_decoding_parameters_decode_again(tmp_path, monkeypatch, change):
    utterance = write(tmp_path / "a.wav", 1)
    pack_corpus([utterance], tmp_path / "cache", RATE)
    if change == "version":
        monkeypatch.setattr(audio_cache, "DECODER_VERSION", 10_000)
    pack_corpus([utterance], tmp_path / "cache", RATE if change == "version" else 8_000)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2


def test_unchanged_recordings_are_not_decoded_again(tmp_path, monkeypatch):
    utterance = write(tmp_path / "a.wav", 1)
    first = pack_corpus([utterance], tmp_path / "cache", RATE)
    monkeypatch.setattr(audio_cache, "load_audio", None)
    monkeypatch.chdir(tmp_path)
    again = pack_corpus([Utterance(path=Path("a.wav"), text="a")], tmp_path / "cache", RATE)
    assert np.array_equal(first.samples(0), again.samples(0))


@pytest.mark.parametrize("suffix", [".i16", ".json", ".npy"])
@pytest.mark.parametrize("content", [None, b"", b"[7]", b'{"9": "x"}'])
def test_damaged_caches_are_decoded_again(tmp_path, suffix, content):
    utterances = [write(tmp_path / "a.wav", 1), write(tmp_path / "b.wav", 2)]
    first = pack_corpus(utterances, tmp_path / "cache", RATE)
    expected = [first.samples(0).copy(), first.samples(1).copy()]
    (path,) = (tmp_path / "cache").glob(f"*{suffix}")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    again = pack_corpus(utterances, tmp_path / "cache", RATE)
    assert len(again) == 2
    assert all(np.array_equal(again.samples(i), expected[i]) for i in range(2))
    assert not again.unreadable


def test_unreadable_recordings_are_left_out_and_named(tmp_path):
    broken = Utterance(path=tmp_path / "broken.wav", text="b")
    broken.path.write_bytes(b"no sound at all")
    listed = [write(tmp_path / "a.wav", 1), broken, write(tmp_path / "c.wav", 3)]
    for _ in range(2):  # once decoded, once found
        corpus = pack_corpus(listed, tmp_path / "cache", RATE)
        assert [u.path.name for u in corpus.utterances] == ["a.wav", "c.wav"]
        assert list(corpus.unreadable) == [broken.path]
        assert "broken.wav" in corpus.unreadable[broken.path]
    alone = pack_corpus([listed[2]], tmp_path / "other", RATE)
    assert np.array_equal(corpus.samples(1), alone.samples(0))
    (tmp_path / "noise").mkdir()
    broken.path.replace(tmp_path / "noise" / "broken.wav")
    with pytest.raises(DataError, match=r"broken\.wav.*no other recording"):
        folder_corpus(tmp_path / "noise", tmp_path / "cache", RATE)
