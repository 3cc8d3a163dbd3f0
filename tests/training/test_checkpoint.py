from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from asr_gru.errors import ConfigError, ModelError
from asr_gru.nn.net import AcousticNet
from asr_gru.training.checkpoint import (
    NAME,
    Checkpoint,
    load_checkpoint,
    net_from_checkpoint,
    save_checkpoint,
)
from asr_gru.training.config_file import parse_train_config

CONFIG = parse_train_config({"data": {"train": ["t"]}, "encoder": {"layers": 1, "width": 4}})


def example(**changes) -> Checkpoint:
    torch.manual_seed(0)
    weights = AcousticNet(CONFIG.net, 3).state_dict()
    history = [{"epoch": 1.0, "dev WER": 50.0}]
    return Checkpoint(
        CONFIG, 3, weights, global_step=5, epoch=1, step_in_epoch=2, history=history, **changes
    )


def test_checkpoints_are_read_back(tmp_path):
    before = example()
    save_checkpoint(before, tmp_path / NAME)
    for path in (tmp_path, tmp_path / NAME):
        after = load_checkpoint(path)
        assert after.config == CONFIG
        assert (after.global_step, after.epoch, after.step_in_epoch) == (5, 1, 2)
        assert after.history == before.history
        assert after.weights.keys() == before.weights.keys()
        assert all(torch.equal(after.weights[k], v) for k, v in before.weights.items())
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_crash_while_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(example(), tmp_path / NAME)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    newer = example()
    newer.global_step = 6
    with pytest.raises(OSError, match="space"):
        save_checkpoint(newer, tmp_path / NAME)
    assert load_checkpoint(tmp_path).global_step == 5


def test_truncated_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / NAME
    with pytest.raises(ModelError, match="no checkpoint here"):
        load_checkpoint(tmp_path)
    save_checkpoint(example(), path)
    whole = path.read_bytes()
    middle = [len(whole) * part // 20 for part in range(1, 20)]
    for size in [0, 1, 4, 100, *middle, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError, match="not a checkpoint"):
            load_checkpoint(path)
    pickles = (b"\x80\x02}q\x00.", b"\x80\x02X\x01")
    for content in (b"RIFF....WAVE", *pickles, b"hello\n" * 20, bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="not a checkpoint"):
            load_checkpoint(path)
    for other in ([1], {"weights": {}}, torch.zeros(2), {"config": {"data": {"train": []}}}):
        torch.save(other, path)
        with pytest.raises((ModelError, ConfigError)):
            load_checkpoint(path)


class MaliciousPickle:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_file_is_not_executed(tmp_path):
    torch.save({"config": MaliciousPickle(tmp_path / "ran")}, tmp_path / NAME)
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_checkpoints_of_earlier_versions_are_read_with_a_notice(tmp_path):
    """Fields and configuration keys under their earlier names."""
    new = example(ema={"level.mean": torch.ones(80)})
    save_checkpoint(new, tmp_path / NAME)
    values = torch.load(tmp_path / NAME)
    old = {
        "config": {
            "data": {"train": ["t"], "pieces": 300},
            "encoder": values["config"]["encoder"],
            "passes": 12,
            "optimiser": {"rate": 0.002, "average": 0.9},
        },
        "tokens": values["vocab_size"],
        "weights": values["weights"],
        "average": values["ema"],
        "phones": {"linear.bias": torch.zeros(2)},
        "optimiser": {},
        "step": 5,
        "number": 1,
        "position": 2,
        "history": [{"pass": 1.0, "dev WER": 50.0}],
    }
    torch.save(old, tmp_path / NAME)
    lines: list[str] = []
    read = load_checkpoint(tmp_path, lines.append)
    assert (read.vocab_size, read.global_step, read.epoch, read.step_in_epoch) == (3, 5, 1, 2)
    assert torch.equal(read.ema["level.mean"], torch.ones(80))
    assert read.phone_head.keys() == {"linear.bias"}
    assert read.history == new.history
    assert (read.config.epochs, read.config.data.vocab_size) == (12, 300)
    assert (read.config.optimiser.learning_rate, read.config.optimiser.ema) == (0.002, 0.9)
    assert len(lines) == 1
    assert "number is now epoch" in lines[0]
    save_checkpoint(read, tmp_path / NAME)
    load_checkpoint(tmp_path, lines.append)
    assert len(lines) == 1


def test_the_model_has_the_averaged_weights():
    state = example()
    doubled = {name: 2 * value for name, value in state.weights.items()}
    net = net_from_checkpoint(example(ema=doubled))
    assert not net.training
    torch.testing.assert_close(net.encoder.head.weight.data, doubled["encoder.head.weight"])
    plain = net_from_checkpoint(state)
    torch.testing.assert_close(plain.encoder.head.weight.data, state.weights["encoder.head.weight"])
