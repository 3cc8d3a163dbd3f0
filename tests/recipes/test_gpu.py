"""Training on a GPU: parts, decoding, batches of fixed shapes, augmentation and loss on the device.

Everything runs on the CPU here; only the replay of CUDA graphs is left out.
"""

import json
import sys
import time

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from asr_gru.nn.net import AcousticNet
from asr_gru.training.augment import mask_features
from asr_gru.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    net_from_checkpoint,
    save_checkpoint,
)
from asr_gru.training.config import AugmentConfig
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.ctc_crf import sequence_log_prob
from asr_gru.training.loss import training_loss
from asr_gru.training.optimiser import build_optimiser
from recipes.en_small.gpu import __main__ as command
from recipes.en_small.gpu.augment import assemble, limit_bandwidth, mask, reverberate
from recipes.en_small.gpu.clock import Clock
from recipes.en_small.gpu.corpus import NOISE, SPEECH, VALIDATION, Corpus
from recipes.en_small.gpu.decode import decode, loud_span
from recipes.en_small.gpu.draw import BUCKETS, Batcher, draw_plain, draw_training, output_frames
from recipes.en_small.gpu.fused_muon import FusedMuon
from recipes.en_small.gpu.pack import pack
from recipes.en_small.gpu.train import Trainer

RATE = 16_000
CPU = torch.device("cpu")
CONFIG = {
    "ctc_crf_weight": 0.9,
    "gru_kernel": "torch",
    "data": {
        "train": ["list.tsv"],
        "validation": ["held_out.tsv"],
        "tokens": "phones",
        "batch_s": 6.0,
        "noise_only": 0.1,
        "weights": {"rare": 0.0},
    },
    "augment": {
        "noise": "noise",
        "noise_prob": 0.5,
        "rooms": "rooms",
        "rooms_prob": 0.5,
        "bandwidth_prob": 0.5,
        "speed_prob": 0.5,
        "pause_prob": 0.5,
        "gain_db": [-6.0, 6.0],
        "frequency_masks": 1,
        "time_masks": 2,
    },
    "optimiser": {"name": "muon", "warmup_steps": 2},
    "encoder": {"layers": 2, "width": 16, "lookahead": 2, "subsampling": 4},
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Two decoded parts of 24 recordings, and a model with one layer less to start from."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for name, count, seconds in (("speech", 24, 1.0), ("noise", 2, 0.7), ("rooms", 2, 0.1)):
        (root / name).mkdir()
        for number in range(count):
            samples = random.standard_normal(int(RATE * (seconds + 0.05 * (number % 5)))) * 0.1
            samples[: RATE // 50] *= 1e-3
            soundfile.write(root / name / f"{number}.wav", samples, RATE)
    lines = [
        f"speech/{number}.wav\t{('see the cat', 'a cat', 'the sea')[number % 3]}\t"
        f"{'rare' if number == 5 else 'common'}"
        for number in range(24)
    ]
    head = "path\ttext\tsource\n"
    (root / "list.tsv").write_text(head + "\n".join(lines[:20]) + "\n")
    (root / "held_out.tsv").write_text(head + "\n".join(lines[20:]) + "\n")
    smaller = json.loads(json.dumps(CONFIG))
    smaller["encoder"]["layers"] = 1
    torch.manual_seed(0)
    config = parse_train_config(smaller)
    weights = AcousticNet(config.net, 40).state_dict()
    save_checkpoint(Checkpoint(config, 40, weights), root / "checkpoint.pt")
    config = parse_train_config(CONFIG)
    parts = root / "parts"
    folders = pack(config, root, parts, start_from=root, part_mib=0.7, copies=root)
    assert len(folders) == 2
    for folder in folders:
        assert (folder / "recordings.bin").stat().st_size < 0.7 * 2**20
        decode(folder, RATE, processes=2)
    return root, parts, config


@pytest.fixture
def trainer(packed):
    return Trainer(packed[1], CPU, lambda _line: None)


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


def test_without_augmentation_batches_equal_the_recordings(trainer):
    corpus = trainer.corpus
    draws = draw_plain(corpus, corpus.of_kind(SPEECH)[:5])
    batch = assemble(corpus, draws, 20_000)
    for row, index in enumerate(draws.recording):
        begin, length = corpus.recordings.begins[index], corpus.recordings.lengths[index]
        samples = corpus.samples[begin : begin + length].float() / 32768.0
        torch.testing.assert_close(batch[row, :length], samples, atol=1e-6, rtol=0)
        assert not batch[row, length:].any()


def test_speed_changes_the_frequency_and_pauses_shift_the_audio(trainer):
    corpus = trainer.corpus
    tone = torch.sin(torch.arange(8_000) * (2 * np.pi * 1_000.0 / RATE))
    corpus.samples[:8_000] = (tone * 16_384).short()
    draws = draw_plain(corpus, np.array([0]))
    changes = {"length": [8_000], "before": [800], "total": [8_800], "speed": [1.25]}
    values = {k: np.array(v, getattr(draws, k).dtype) for k, v in changes.items()}
    batch = assemble(corpus, change(draws, values), 9_600)[0]
    heard = torch.sin(torch.arange(6_400) * (2 * np.pi * 1_250.0 / RATE)) / 2
    assert not batch[:800].any()
    torch.testing.assert_close(batch[810:7_190], heard[10:6_390], atol=2e-3, rtol=0)
    assert not batch[7_200:].any()


def change(draws, values):
    """Return ``draws`` with other columns."""
    columns = {name: getattr(draws, name) for name in draws.__slots__}
    return type(draws)(**{**columns, **values})


def test_augmentation_keeps_room_for_texts_and_adds_noise_at_the_ratio(packed, trainer):
    corpus, config = trainer.corpus, packed[2]
    random = np.random.default_rng(1)
    seen = []
    for _ in range(40):
        draws = draw_training(corpus, config, random)
        seen.append(draws)
        spoken = draws.recording >= 0
        assert spoken.sum() == 19  # the rare one is never drawn
        assert (~spoken).sum() == 2
        needed = corpus.recordings.frames_needed[draws.recording[spoken]]
        assert (draws.total[spoken] // config.net.frame_samples >= needed).all()
        lengths = corpus.recordings.lengths[draws.recording[spoken]]
        assert (draws.first + draws.length)[spoken].max() <= lengths.max()
    draws = seen[0].join(seen)
    spoken = draws.recording >= 0
    assert 0.4 < (draws.noise[spoken] >= 0).mean() < 0.6
    assert 0.4 < (draws.speed[spoken] != 1.0).mean() < 0.6
    noisy = draws.take(np.flatnonzero(spoken & (draws.noise >= 0))[:20])
    n = int(noisy.total.max())
    quiet = change(noisy, {"noise": noisy.noise * 0 - 1, "pause_level": noisy.snr_db * 0})
    noisy = change(noisy, {"pause_level": noisy.snr_db * 0})
    clean, mixed = assemble(corpus, quiet, n), assemble(corpus, noisy, n)
    ratio = clean.square().sum(dim=1) / (mixed - clean).square().sum(dim=1)
    np.testing.assert_allclose(10 * np.log10(ratio.numpy()), noisy.snr_db, atol=0.01)


def test_batches_have_one_shape_and_contain_every_recording(packed, trainer):
    corpus, config = trainer.corpus, packed[2]
    random = np.random.default_rng(2)
    batcher = Batcher(config)
    seen, drawn = 0, 0
    for _ in range(10):
        draws = draw_training(corpus, config, random)
        drawn += len(draws)
        for frames, batch in batcher.feed(draws, random):
            assert frames in BUCKETS
            assert len(batch) == batcher.rows(frames)
            assert output_frames(batch, config.net).max() <= frames
            shorter = [bucket for bucket in BUCKETS if bucket < frames]
            assert not shorter or output_frames(batch, config.net).min() > shorter[-1]
            seen += len(batch)
    rest = sum(len(batch) for _, batch in batcher.rest())
    assert (seen + rest, rest < drawn / 2) == (drawn, True)


def test_reverberation_keeps_the_level_and_a_unit_impulse_changes_nothing():
    samples = torch.randn(3, 4_000)
    total = torch.tensor([[4_000], [3_000], [4_000]])
    samples[1, 3_000:] = 0.0
    one = torch.zeros(2, 1_600)
    one[:, 0] = 1.0
    torch.testing.assert_close(reverberate(samples, total, one), samples, atol=1e-4, rtol=1e-4)
    wet = reverberate(samples, total, one + 0.05 * torch.randn(2, 1_600))
    assert not torch.allclose(wet[0], samples[0], atol=0.1)
    torch.testing.assert_close(wet[2], samples[2])
    torch.testing.assert_close(wet[:2].norm(dim=1), samples[:2].norm(dim=1), rtol=1e-3, atol=0)
    assert not wet[1, 3_000:].any()


def test_band_limited_audio_has_no_high_frequencies():
    torch.manual_seed(3)
    samples = torch.randn(64, 16_000) * 0.1
    narrow = limit_bandwidth(samples, 60, RATE)
    torch.testing.assert_close(narrow[:4], samples[:4])
    treble = torch.fft.rfft(narrow, dim=1)[:, 7_500:].abs().mean(dim=1)
    assert (treble[4:] < treble[:4].mean()).float().mean() > 0.8
    assert torch.isfinite(narrow).all()


def test_masks_cover_as_much_as_those_of_the_package():
    config = AugmentConfig(frequency_masks=2, frequency_width=18, time_masks=4, time_width=22)
    frames = torch.tensor([1_000, 600, 1_000, 200] * 50)
    features = torch.ones(200, 1_000, 80)
    torch.manual_seed(4)
    hidden = 1.0 - mask(features, frames, config)
    random = np.random.default_rng(4)
    expected = 1.0 - mask_features(features, frames.numpy(), config, random)
    for length in (1_000, 600, 200):
        rows = frames == length
        ours, theirs = (one[rows, :length].mean().item() for one in (hidden, expected))
        assert ours == pytest.approx(theirs, rel=0.15)


def test_the_loss_agrees_with_that_of_the_package(packed, trainer):
    config, corpus = packed[2], trainer.corpus
    draws = draw_plain(corpus, corpus.of_kind(SPEECH)[:6])
    valid = output_frames(draws, config.net)
    samples = assemble(corpus, draws, int(valid.max()) * config.net.frame_samples)
    log_probs = trainer.averaged(samples)[0]
    loss, tokens = trainer._loss(log_probs, draws, valid, trainer._partition)
    targets = torch.from_numpy(corpus.tokens(draws.recording))
    lengths = torch.from_numpy(corpus.recordings.target_lengths[draws.recording])
    expected = training_loss(
        log_probs, targets, torch.from_numpy(valid), lengths, 0.0, 0.9, trainer.trigram
    )
    prior = sequence_log_prob(trainer.trigram, targets, lengths).sum()
    assert loss.item() == pytest.approx((expected * tokens + 0.9 * prior).item(), rel=1e-4)
    head = trainer.averaged.encoder.head.weight
    one, other = (torch.autograd.grad(x, head, retain_graph=True)[0] for x in (loss, expected))
    torch.testing.assert_close(one, other * tokens, rtol=1e-3, atol=1e-4)


def test_the_batched_optimiser_agrees_with_muon(packed, monkeypatch):
    monkeypatch.setattr("asr_gru.training.muon.bf16_is_fast", lambda _device: False)
    config = packed[2]
    nets = [AcousticNet(config.net, 40) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    plain = build_optimiser(nets[0], config.optimiser)
    fused = FusedMuon(nets[1], config.optimiser.weight_decay)
    for step in range(3):
        torch.manual_seed(step)
        for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
            one.grad = torch.randn_like(one) * 10.0**-step
            other.grad = one.grad.clone()
        nn.utils.clip_grad_norm_(list(nets[0].parameters()), 1.0)
        for group in plain.param_groups:
            group["lr"] = 0.003
        plain.step()
        fused.step(0.003, 1.0)
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)
    before = [p.clone() for p in nets[1].parameters()]
    for p in nets[1].parameters():
        p.grad = torch.full_like(p, torch.nan)
    fused.step(0.003, 1.0)
    assert all(torch.isfinite(p).all() for p in nets[1].parameters())
    assert before


def test_training_reduces_the_loss_and_writes_files_of_limited_size(packed, tmp_path, monkeypatch):
    _, parts, config = packed
    out = tmp_path / "out"
    words = ["gpu", "train", str(parts), "--minutes", "0.3", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr("recipes.en_small.gpu.result.PART", 60_000)
    command.main()
    (tmp_path / "run").mkdir()
    for kind in ("last", "best"):
        files = sorted(out.glob(f"{kind}.pt.*"))
        assert len(files) > 1
        assert max(file.stat().st_size for file in files) <= 60_000
    data = b"".join(file.read_bytes() for file in sorted(out.glob("last.pt.*")))
    (tmp_path / "run" / "checkpoint.pt").write_bytes(data)
    state = load_checkpoint(tmp_path / "run")
    assert state.global_step > 3
    losses = [metrics["held_out loss"] for metrics in state.history]
    assert losses[-1] < losses[0]
    assert state.config.encoder.layers == 2
    net = net_from_checkpoint(state)
    assert torch.isfinite(net(torch.zeros(1, RATE - RATE % config.net.frame_samples))[0]).all()
    assert (out / "tokens.txt").read_text() == (parts / "part0" / "tokens.txt").read_text()


def test_a_file_changes_the_deadline(tmp_path):
    now = time.time()
    clock = Clock(tmp_path / "deadline", now + 1_000.0)
    clock.start()
    assert clock.progress() < 0.01
    (tmp_path / "deadline").write_text(str(now - 1.0))
    clock = Clock(tmp_path / "deadline", now + 1_000.0)
    assert clock.progress() == 1.0


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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pack nowhere.toml --root . --start-from x --out parts", "nowhere.toml: No such file"),
        ("decode nowhere", "nowhere/index.npz: No such file"),
        ("train nowhere --minutes 1 --out out", "nowhere/part0: not decoded"),
        ("train . --minutes 0 --out out", "part0: not decoded"),
    ],
)
def test_invalid_input_is_refused_in_one_line(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gpu", *words.split()])
    assert command.main() in (1, 2)
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert expected in printed
    assert printed.count("\n") == 1
