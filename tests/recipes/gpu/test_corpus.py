"""Parts of recordings: packing, decoding, and the corpus that grows with them."""

import numpy as np
import soundfile
import torch

from recipes.en_small.gpu.corpus import NOISE, SPEECH, VALIDATION, Corpus
from recipes.en_small.gpu.decode import decode, loud_span

from .conftest import CPU, RATE


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
