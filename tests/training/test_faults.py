"""Faults that a run survives, and those that end it in one line with an intact checkpoint."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from asr_gru.data.manifest import read_manifest, write_manifest
from asr_gru.errors import ConfigError, DataError
from asr_gru.text import find_tokens, load_tokenizer
from asr_gru.training import divergence, loop, overfit
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


def test_a_second_run_in_a_folder_is_refused_until_the_first_ends(tone_corpus, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(ConfigError, match="another run is going on here"):
            tone_corpus.train(tmp_path)
        other.kill()
    tone_corpus.train(
        tmp_path, tone_corpus.config(epochs=1)
    )  # a killed run no longer holds the lock
    with locked(tmp_path), pytest.raises(ConfigError, match="another run"), locked(tmp_path):
        pass


def test_a_model_directory_is_no_folder_of_a_run(tone_corpus, tmp_path):
    for name in ("config.json", "tokens.txt"):
        (tmp_path / name).write_text("of a model")
    with pytest.raises(ConfigError, match=r"is a model.*--run-dir"):
        tone_corpus.train(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "tokens.txt"]
    assert (tmp_path / "tokens.txt").read_text() == "of a model"


def test_tokens_of_a_failed_start_are_not_taken(tone_corpus, tmp_path):
    nothing = {"weights": {"first": 0.0, "second": 0.0}}
    with pytest.raises(DataError, match=r"data\.weights"):
        tone_corpus.train(tmp_path, tone_corpus.config(data=nothing))
    pieces = tone_corpus.config(epochs=1, data={"tokens": "pieces", "vocab_size": 9})
    tone_corpus.train(tmp_path, pieces)
    tokens = find_tokens(tmp_path)
    assert tokens is not None
    assert load_tokenizer(tokens).kind == "pieces"


def test_a_run_is_not_resumed_with_other_tokens(tone_corpus, tmp_path):
    tone_corpus.train(tmp_path, tone_corpus.config(epochs=1))
    pieces = tone_corpus.config(data={"tokens": "pieces", "vocab_size": 9})
    with pytest.raises(ConfigError, match=r"has characters; .* give another --run-dir"):
        tone_corpus.train(tmp_path, pieces)
    with pytest.raises(ConfigError, match=r"has characters; .* give --new-head"):
        tone_corpus.train(tmp_path / "next", pieces, start_from=tmp_path)


def test_one_batch_can_be_learned_of_sources_with_small_weights(tone_corpus, monkeypatch):
    monkeypatch.setattr(overfit, "MAX_STEPS", 1)
    config = tone_corpus.config(data={"weights": {"first": 0.001, "second": 0.001}})
    run = Run(tone_corpus.root / "none", tone_corpus.root, tone_corpus.root / "cache")
    assert overfit.overfit_one_batch(config, run, ALONE, lambda _line: None).steps == 1


def test_a_weight_for_no_source_is_named(tone_corpus, tmp_path):
    lines: list[str] = []
    run = Run(tmp_path, tone_corpus.root, tone_corpus.root / "cache", stop_after=1)
    config = tone_corpus.config(data={"weights": {"frist": 0.0, "second": 0.5}})
    train(config, run, ALONE, lines.append)
    found = [line for line in lines if "data.weights" in line]
    assert found == ["data.weights: no recording has the source 'frist' (did you mean 'first'?)"]


def test_one_unreadable_recording_does_not_end_a_run(tone_corpus, tmp_path):
    utterances = read_manifest(tone_corpus.root / "train.tsv")[:6]
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    broken = [*utterances[:3], *read_manifest(tone_corpus.root / "validation.tsv")]
    listed = [*utterances, type(utterances[0])(path=tmp_path / "broken.wav", text="a")]
    write_manifest(tmp_path / "train.tsv", listed)
    write_manifest(tmp_path / "dev.tsv", [*broken, listed[-1]])
    messages: list[str] = []
    config = tone_corpus.config(epochs=1, data={"train": ["train.tsv"], "validation": ["dev.tsv"]})
    state = train(
        config, Run(tmp_path / "run", tmp_path, tmp_path / "cache"), ALONE, messages.append
    )
    named = [line for line in messages if "left out: " in line and "broken.wav" in line]
    assert len(named) == 2  # once per list
    assert any(line.startswith("training set: 6 utterances") for line in messages)
    assert "dev WER" in state.history[-1]


def corrupt_gradients(monkeypatch, from_step: int, until_step: int) -> None:
    """Make gradients NaN in a range of steps."""
    seen = iter(range(1_000_000))
    clip = torch.nn.utils.clip_grad_norm_

    def corrupted(parameters, bound):
        if from_step <= next(seen) < until_step:
            parameters[0].grad.fill_(float("nan"))
        return clip(parameters, bound)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", corrupted)


def test_non_finite_gradients_are_counted_and_skipped(tone_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(Report, "_due", lambda _report: True)
    messages: list[str] = []
    config = tone_corpus.config(epochs=1, optimiser={"ema": 0.0})
    place = {"root": tone_corpus.root, "cache": tone_corpus.root / "cache"}
    before, _ = tone_corpus.train(tmp_path / "before", config, stop_after=1)
    corrupt_gradients(monkeypatch, 1, 3)
    after = train(config, Run(tmp_path / "after", stop_after=3, **place), ALONE, messages.append)
    assert sum("a gradient was not finite: 1" in line for line in messages) == 2
    assert all(torch.equal(after.weights[k], v) for k, v in before.weights.items())


def test_a_run_without_finite_gradients_ends(tone_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(divergence, "MAX_NONFINITE_STEPS", 4)
    before, _ = tone_corpus.train(tmp_path, stop_after=2)
    corrupt_gradients(monkeypatch, 0, 1_000)
    with pytest.raises(ConfigError, match="no finite gradient in 4 steps"):
        tone_corpus.train(tmp_path, tone_corpus.config(epochs=20))
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


def test_a_full_disk_leaves_the_previous_checkpoint(tone_corpus, tmp_path, small_files):
    state, _ = tone_corpus.train(tmp_path, stop_after=2)
    kept = (tmp_path / NAME).read_bytes()
    small_files(1_000)
    with pytest.raises(OSError, match="large") as caught:
        save_checkpoint(state, tmp_path / NAME)
    small_files(resource.RLIM_INFINITY)
    assert caught.value.filename == str(tmp_path / NAME)
    assert (tmp_path / NAME).read_bytes() == kept
    assert not list(tmp_path.glob("*.partial"))


def test_a_run_continues_when_the_disk_has_space_again(tone_corpus, tmp_path, monkeypatch):
    """Only the first checkpoint cannot be written."""
    full = iter([True])

    def save(state, path: Path) -> None:
        if next(full, False):
            raise OSError(28, "No space left on device", str(path))
        save_checkpoint(state, path)

    monkeypatch.setattr(loop, "save_checkpoint", save)
    messages: list[str] = []
    run = Run(
        tmp_path, tone_corpus.root, tone_corpus.root / "cache", save_every_s=0.0, stop_after=3
    )
    train(tone_corpus.config(), run, ALONE, messages.append)
    assert load_checkpoint(tmp_path).global_step == 3
    assert (
        sum("No space left on device; the previous checkpoint is kept" in s for s in messages) == 1
    )


def test_a_run_whose_last_checkpoint_cannot_be_written_fails(tone_corpus, tmp_path, monkeypatch):
    tone_corpus.train(tmp_path, stop_after=1)

    def save(_state, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(loop, "save_checkpoint", save)
    with pytest.raises(OSError, match="space"):
        tone_corpus.train(tmp_path)
    assert load_checkpoint(tmp_path).global_step == 1


def test_a_run_folder_that_cannot_be_created_is_named(tone_corpus, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        tone_corpus.train(tmp_path / "file" / "run")
