"""What a run survives, and how it ends where it does not: in one line, its checkpoint whole."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from asr_gru.data.manifest import read_manifest, write_manifest
from asr_gru.errors import ConfigError
from asr_gru.training import divergence, loop
from asr_gru.training.checkpoint import NAME, load_checkpoint, save_checkpoint
from asr_gru.training.loop import Run, train
from asr_gru.training.report import Report
from asr_gru.training.run import locked

from .conftest import ALONE

HOLD = """
import sys, time
from pathlib import Path
from asr_gru.training.run import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_run_in_a_folder_is_refused_until_the_first_ends(world, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(ConfigError, match="another run is going on here"):
            world.train(tmp_path)
        other.kill()
    world.train(tmp_path, world.config(epochs=1))  # a killed run holds no lock
    with locked(tmp_path), pytest.raises(ConfigError, match="another run"), locked(tmp_path):
        pass


def test_one_unreadable_recording_does_not_end_a_run(world, tmp_path):
    utterances = read_manifest(world.root / "train.tsv")[:6]
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    broken = [*utterances[:3], *read_manifest(world.root / "validation.tsv")]
    listed = [*utterances, type(utterances[0])(path=tmp_path / "broken.wav", text="a")]
    write_manifest(tmp_path / "train.tsv", listed)
    write_manifest(tmp_path / "dev.tsv", [*broken, listed[-1]])
    messages: list[str] = []
    config = world.config(epochs=1, data={"train": ["train.tsv"], "validation": ["dev.tsv"]})
    state = train(
        config, Run(tmp_path / "run", tmp_path, tmp_path / "cache"), ALONE, messages.append
    )
    named = [line for line in messages if "left out: " in line and "broken.wav" in line]
    assert len(named) == 2  # once for each list
    assert any(line.startswith("training set: 6 utterances") for line in messages)
    assert "dev WER" in state.history[-1]


def poison(monkeypatch, from_step: int, until_step: int) -> None:
    """Give gradients that are not numbers in a range of steps."""
    seen = iter(range(1_000_000))
    clip = torch.nn.utils.clip_grad_norm_

    def poisoned(parameters, bound):
        if from_step <= next(seen) < until_step:
            parameters[0].grad.fill_(float("nan"))
        return clip(parameters, bound)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", poisoned)


def test_a_gradient_that_is_not_finite_is_counted_and_moves_nothing(world, tmp_path, monkeypatch):
    monkeypatch.setattr(Report, "_due", lambda _report: True)
    messages: list[str] = []
    config = world.config(epochs=1, optimiser={"ema": 0.0})
    place = {"root": world.root, "cache": world.root / "cache"}
    before, _ = world.train(tmp_path / "before", config, stop_after=1)
    poison(monkeypatch, 1, 3)
    after = train(config, Run(tmp_path / "after", stop_after=3, **place), ALONE, messages.append)
    assert sum("a gradient was not finite: 1" in line for line in messages) == 2
    assert all(torch.equal(after.weights[k], v) for k, v in before.weights.items())


def test_a_run_without_finite_gradients_ends(world, tmp_path, monkeypatch):
    monkeypatch.setattr(divergence, "MAX_NONFINITE_STEPS", 4)
    before, _ = world.train(tmp_path, stop_after=2)
    poison(monkeypatch, 0, 1_000)
    with pytest.raises(ConfigError, match="no finite gradient in 4 steps"):
        world.train(tmp_path, world.config(epochs=20))
    after = load_checkpoint(tmp_path)
    assert all(torch.equal(after.weights[k], v) for k, v in before.weights.items())


@pytest.fixture
def small_files():
    """Return a function after which no file may grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_checkpoint_before(world, tmp_path, small_files):
    state, _ = world.train(tmp_path, stop_after=2)
    kept = (tmp_path / NAME).read_bytes()
    small_files(1_000)
    with pytest.raises(OSError, match="large") as caught:
        save_checkpoint(state, tmp_path / NAME)
    small_files(resource.RLIM_INFINITY)
    assert caught.value.filename == str(tmp_path / NAME)
    assert (tmp_path / NAME).read_bytes() == kept
    assert not list(tmp_path.glob("*.partial"))


def test_a_run_goes_on_when_there_is_space_again(world, tmp_path, monkeypatch):
    """The first checkpoint fails, the later ones do not."""
    full = iter([True])

    def save(state, path: Path) -> None:
        if next(full, False):
            raise OSError(28, "No space left on device", str(path))
        save_checkpoint(state, path)

    monkeypatch.setattr(loop, "save_checkpoint", save)
    messages: list[str] = []
    run = Run(tmp_path, world.root, world.root / "cache", save_every_s=0.0, stop_after=3)
    train(world.config(), run, ALONE, messages.append)
    assert load_checkpoint(tmp_path).global_step == 3
    assert (
        sum("No space left on device; the previous checkpoint is kept" in s for s in messages) == 1
    )


def test_a_run_whose_last_checkpoint_cannot_be_written_fails(world, tmp_path, monkeypatch):
    world.train(tmp_path, stop_after=1)

    def save(_state, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(loop, "save_checkpoint", save)
    with pytest.raises(OSError, match="space"):
        world.train(tmp_path)
    assert load_checkpoint(tmp_path).global_step == 1


def test_a_folder_that_cannot_be_is_named(world, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        world.train(tmp_path / "file" / "run")
