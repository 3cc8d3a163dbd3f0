"""Loss, optimiser and command of training on a GPU, here on the CPU and without CUDA graphs."""

import sys
import time

import pytest
import torch
from torch import nn

from asr_gru.nn.net import AcousticNet
from asr_gru.training.checkpoint import (
    load_checkpoint,
    net_from_checkpoint,
)
from asr_gru.training.ctc_crf import sequence_log_prob
from asr_gru.training.loss import training_loss
from asr_gru.training.optimiser import build_optimiser
from recipes.en_small.gpu import __main__ as command
from recipes.en_small.gpu.augment import assemble
from recipes.en_small.gpu.clock import Clock
from recipes.en_small.gpu.corpus import SPEECH
from recipes.en_small.gpu.draw import draw_plain, output_frames
from recipes.en_small.gpu.fused_muon import FusedMuon

from .conftest import RATE


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
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        one.grad = torch.zeros_like(one)
        other.grad = torch.full_like(other, torch.nan)  # counts as 0
    plain.step()
    fused.step(0.003, 1.0)
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)


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


@pytest.mark.parametrize("text", ["", "nan", "tomorrow"])
def test_a_deadline_that_is_not_written_yet_changes_nothing(text, tmp_path):
    (tmp_path / "deadline").write_text(text)
    clock = Clock(tmp_path / "deadline", time.time() + 1_000.0)
    assert 0.0 <= clock.progress() < 0.01


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
