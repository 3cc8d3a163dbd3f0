from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from asr_gru.errors import ConfigError, DataError
from asr_gru.model.net_config import EncoderConfig
from asr_gru.nn.encoder import Encoder
from asr_gru.training.phone_times import IGNORE_INDEX, frame_targets, read_phone_times
from asr_gru.training.phones import PhoneHead, pad_targets

HEADER = "path\tphones\n"


def test_phone_files_are_read(tmp_path: Path):
    path = tmp_path / "phones.tsv"
    path.write_text(HEADER + "a.wav\tSIL 0.10 HH 0.25 AY 0.40\nempty.wav\t\n", encoding="utf-8")
    phones = read_phone_times(path, [tmp_path, tmp_path / "x"])
    assert phones.names == ("AY", "HH", "SIL")
    assert set(phones.times) == {tmp_path / "a.wav", tmp_path / "x" / "a.wav"}
    ids, ends = phones.times[tmp_path / "a.wav"]
    assert ids.tolist() == [2, 1, 0]
    assert ends.tolist() == [0.10, 0.25, 0.40]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (HEADER + "a.wav\tSIL\n", "line 2"),
        (HEADER + "a.wav\tSIL 0.2 HH\n", "line 2"),
        (HEADER + "a.wav\tSIL 0.2 HH x\n", "line 2"),
        (HEADER + "a.wav\tSIL 0.2 HH 0.1\n", "increasing"),
        (HEADER + "a.wav\tSIL nan\n", "line 2"),
        (HEADER + "a.wav\t\n", "no phones"),
        ("", "no phones"),
    ],
)
def test_invalid_files_are_refused(tmp_path: Path, text: str, part: str):
    path = tmp_path / "phones.tsv"
    with pytest.raises(DataError, match="No such file"):
        read_phone_times(path, [])
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=part):
        read_phone_times(path, [])


def test_frames_are_labelled_with_delayed_phones():
    phones = (np.array([5, 6, 7]), np.array([0.09, 0.25, 0.40]))
    # middles of frames are at 0.02, 0.06, 0.10, …; at 0.10 the first phone has ended
    assert frame_targets(phones, 11, 0.04, 0.0).tolist() == [
        5,
        5,
        6,
        6,
        6,
        6,
        7,
        7,
        7,
        7,
        IGNORE_INDEX,
    ]
    assert frame_targets(phones, 11, 0.04, 0.08).tolist() == [5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7]
    assert frame_targets(phones, 11, 0.04, 0.0, stretch=2.0).tolist() == [5] * 4 + [6] * 7


def test_targets_are_padded_with_the_ignored_label():
    rows = [np.array([1, 2, 3]), None, np.array([4, 5, 6, 7, 8])]
    stacked = pad_targets(rows, torch.tensor([4, 2, 3]))
    assert stacked.tolist() == [
        [1, 2, 3, IGNORE_INDEX],
        [IGNORE_INDEX] * 4,
        [4, 5, 6, IGNORE_INDEX],
    ]


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_phone_loss_trains_the_layers_below_its_head(layer: int):
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(layers=3, width=8), mels=4, vocab_size=5).train()
    head = PhoneHead(8, 6)
    hidden = encoder.encode(torch.randn(2, 12, 4), encoder.start(2), tap=layer).hidden
    loss = head.loss(hidden, torch.tensor([[1, 2, IGNORE_INDEX], [3, IGNORE_INDEX, IGNORE_INDEX]]))
    loss.backward()
    taught = [cell.rnn.weight_hh_l0.grad is not None for cell in encoder.forwards]
    assert taught == [True] * layer + [False] * (3 - layer)
    assert encoder.head.weight.grad is None


def test_frames_without_a_phone_have_no_loss():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(layers=1, width=8), mels=4, vocab_size=5).train()
    head = PhoneHead(8, 6)
    hidden = encoder.encode(torch.randn(1, 8, 4), encoder.start(1), tap=1).hidden
    loss = head.loss(hidden, torch.full((1, 2), IGNORE_INDEX))
    assert loss.item() == 0.0
    loss.backward()
    assert not encoder.subsample.weight.grad.any()


def write_phones(tone_corpus) -> Path:
    """Write the phones of the tone corpus: 0.16 s per letter after 0.1 s of silence."""
    lines = []
    for line in (tone_corpus.root / "train.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        name, *_, text, _written = line.split("\t")
        ends = [
            f"{letter} {0.1 + 0.16 * (n + 1):.2f}" for n, letter in enumerate(text) if letter != " "
        ]
        lines.append(f"{name}\tSIL 0.10 {' '.join(ends)}\n")
    path = tone_corpus.root / "phones.tsv"
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def test_training_learns_phones_and_resumes_exactly(tone_corpus, tmp_path: Path):
    """The checkpoint contains the phone head."""
    write_phones(tone_corpus)
    tables = {
        "epochs": 8,
        "encoder": {"layers": 2, "width": 24},
        "optimiser": {"learning_rate": 0.01},
    }
    teacher = {"file": "phones.tsv", "layer": 1, "final_weight_ratio": 0.5}
    guided = tone_corpus.config(**tables, phones=teacher)
    _, without = tone_corpus.train(tmp_path / "plain", tone_corpus.config(**tables))
    assert set(tone_corpus.phones) == {None}
    whole, losses = tone_corpus.train(tmp_path / "whole", guided)
    assert losses[0] == without[0]
    assert losses[1:] != without[1:]
    phones = list(tone_corpus.phones)
    assert phones[-1] < 0.5 * phones[0]
    tone_corpus.train(tmp_path / "cut", guided, stop_after=5)
    resumed, rest = tone_corpus.train(tmp_path / "cut", guided)
    assert (rest, tone_corpus.phones) == (losses[5:], phones[5:])
    assert all(torch.equal(resumed.phone_head[k], v) for k, v in whole.phone_head.items())
    assert set(whole.phone_head) == {"linear.weight", "linear.bias"}


def test_a_run_resumes_only_with_its_own_phones(tone_corpus, tmp_path: Path):
    path = write_phones(tone_corpus)
    guided = tone_corpus.config(phones={"file": "phones.tsv", "layer": 1})
    tone_corpus.train(tmp_path, guided, stop_after=1)
    with pytest.raises(ConfigError, match="other phones"):
        tone_corpus.train(tmp_path, tone_corpus.config())
    with pytest.raises(ConfigError, match="a run of adamw"):
        tone_corpus.train(tmp_path, tone_corpus.config(optimiser={"name": "muon"}))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("SIL", "HUM", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="other phones"):
        tone_corpus.train(tmp_path, guided)
    path.write_text(text.replace("train/", "elsewhere/"), encoding="utf-8")
    with pytest.raises(DataError, match="none of the training recordings"):
        tone_corpus.train(tmp_path, guided)


def test_invalid_configurations_are_refused(tone_corpus):
    with pytest.raises(ConfigError, match="has 1 layers"):
        tone_corpus.config(phones={"file": "phones.tsv", "layer": 2})
    with pytest.raises(ConfigError, match="chunked"):
        tone_corpus.config(phones={"file": "p", "layer": 1}, encoder={"direction": "chunked"})
