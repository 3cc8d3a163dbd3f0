"""Parts of recordings: packing, decoding, and the corpus that grows with them."""

import json

import numpy as np
import pytest
import soundfile
import torch

from asr_gru.errors import ConfigError
from asr_gru.training.config_file import parse_train_config
from recipes.en_small.gpu.corpus import NOISE, SPEECH, VALIDATION, Corpus
from recipes.en_small.gpu.decode import decode, loud_span
from recipes.en_small.gpu.pack import pack, read_items, write_parts

from .conftest import CONFIG, CPU, RATE


def test_the_corpus_contains_every_recording_and_its_tokens(packed, trainer):
    root, _, config = packed
    corpus = trainer.corpus
    speech = corpus.of_kind(SPEECH)
    assert (len(speech), len(corpus.of_kind(NOISE)), len(corpus.of_kind(VALIDATION))) == (20, 2, 4)
    originals = {}
    for number in range(20):
        samples, _ = soundfile.read(root / "speech" / f"{number}.wav", dtype="int16")
        originals[samples.tobytes()] = number
    phones = {0: "S IY DH AH K AE T", 1: "AH K AE T", 2: "DH AH S IY"}
    tokens = (root / "parts" / "part0" / "tokens.txt").read_text().split()
    for index in speech:
        begin, length = corpus.recordings.begins[index], corpus.recordings.lengths[index]
        number = originals.pop(corpus.samples[begin : begin + length].numpy().tobytes())
        target = [tokens[token] for token in corpus.tokens(np.array([index]))]
        assert target == phones[number % 3].split()
        assert corpus.recordings.frames_needed[index] == len(target)
        assert corpus.recordings.weights[index] == (0.0 if number == 5 else 1.0)
    assert not originals
    assert config.data.noise_only


def test_parts_that_arrive_later_are_used(packed, tmp_path):
    parts = packed[1]
    (tmp_path / "part0").symlink_to(parts / "part0")
    corpus = Corpus(tmp_path, CPU)
    assert corpus.refresh()
    first = len(corpus.recordings.begins)
    assert not corpus.refresh()
    (tmp_path / "part1").symlink_to(parts / "part1")
    assert corpus.refresh()
    assert len(corpus.recordings.begins) > first
    whole = Corpus(parts, CPU)
    whole.refresh()
    assert torch.equal(whole.samples, corpus.samples)


def test_loud_spans_are_found():
    samples = np.zeros(RATE, np.int16)
    samples[RATE // 4 : RATE // 2] = 8_000
    first, last, level = loud_span(samples, RATE)
    assert (first, last, level) == (25, 49, 0.0)
    assert loud_span(samples[:100], RATE) == (0, 0, 0.0)


def test_recordings_that_cannot_be_decoded_are_left_out(packed, tmp_path):
    index = np.load(packed[1] / "part1" / "index.npz")
    part = tmp_path / "part0"
    part.mkdir()
    data = (packed[1] / "part1" / "recordings.bin").read_bytes()
    begin = int(index["ends"][0])
    (part / "recordings.bin").write_bytes(b"\0" * begin + data[begin:])
    (part / "index.npz").write_bytes((packed[1] / "part1" / "index.npz").read_bytes())
    decode(part, RATE, processes=1)
    corpus = Corpus(tmp_path, CPU)
    corpus.refresh()
    assert len(corpus.recordings.begins) == len(index["ends"]) - 1


def test_segments_are_packed_without_the_rest_of_their_recording(packed, tmp_path):
    samples = np.random.default_rng(0).integers(-9_000, 9_000, 2 * RATE, np.int16)
    soundfile.write(tmp_path / "whole.wav", samples, RATE)
    segments = [("cat", 0.25, 0.5), ("sea", 1.0, 0.75)]
    lines = [
        json.dumps({"audio_filepath": "whole.wav", "text": text, "offset": at, "duration": length})
        for text, at, length in segments
    ]
    (tmp_path / "words.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = parse_train_config({"data": {"train": ["words.jsonl"], "tokens": "phones"}})
    write_parts(read_items(config, tmp_path)[1], tmp_path / "parts", 2**20, 0, RATE)
    decode(tmp_path / "parts" / "part0", RATE, processes=1)
    decoded = np.load(tmp_path / "parts" / "part0" / "samples.npy")
    expected = [samples[int(at * RATE) :][: int(length * RATE)] for _, at, length in segments]
    np.testing.assert_array_equal(decoded, np.concatenate(expected))


@pytest.mark.parametrize(
    "change",
    [
        {"augment": {"babble_prob": 0.1}},
        {"augment": {"carry_prob": 0.1}},
        {"augment": {"trim_tail_s": 0.1}},
        {"cr_ctc_weight": 0.2},
        {"distillation": {"teacher": "teacher"}},
        {"encoder": {"direction": "bi"}},
        {"optimiser": {"accumulate": 2}},
        {"optimiser": {"name": "adamw"}},
        {"phones": {"file": "phones.tsv"}},
    ],
)
def test_what_a_gpu_would_not_do_is_refused(change, tmp_path):
    ((table, value),) = change.items()
    named = f"{table}.{next(iter(value))}" if isinstance(value, dict) else table
    config = parse_train_config({"data": CONFIG["data"], "optimiser": {"name": "muon"}, **change})
    with pytest.raises(ConfigError, match=named):
        pack(config, tmp_path, tmp_path, start_from=tmp_path, part_mib=1.0, copies=tmp_path)


def test_other_rates_are_resampled_and_channels_averaged(tmp_path):
    tone = np.sin(2 * np.pi * 440.0 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "a.wav", 0.5 * tone[:, None] * [1.0, 0.0], 48_000)
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "recordings.bin").write_bytes(data)
    np.savez(tmp_path / "index.npz", ends=np.array([len(data)]))
    decode(tmp_path, RATE, processes=1)
    samples = np.load(tmp_path / "samples.npy") / 32768.0
    expected = 0.25 * np.sin(2 * np.pi * 440.0 * np.arange(RATE) / RATE)
    assert samples.shape == expected.shape
    np.testing.assert_allclose(samples[100:-100], expected[100:-100], atol=1e-3)
