"""Signals and killed processes: a run ends at once with an intact checkpoint."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asr_gru.training.checkpoint import NAME, load_checkpoint

from .conftest import write_tone_corpus

CONFIG = """
epochs = 100000
curriculum_epochs = 0
gru_kernel = "torch"
[data]
train = ["train.tsv"]
batch_s = 2.0
[encoder]
layers = 1
width = 16
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = write_tone_corpus(tmp_path_factory.mktemp("interrupted"))
    (root / "run.toml").write_text(CONFIG)
    return root


def start(root: Path, folder: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "asr_gru", "train", root / "run.toml"]
    return subprocess.Popen(
        [*map(str, command), "--run-dir", str(folder), "--cache", str(root / "cache")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment},
    )


def wait_for_checkpoint(folder: Path, *processes: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not (folder / NAME).exists():
        assert time.monotonic() < until
        for process in processes:
            assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_a_run_after_saving_the_last_step(root, tmp_path, name, status, times):
    process = start(root, tmp_path)
    wait_for_checkpoint(tmp_path, process)
    for _ in range(times):
        process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert "Traceback" not in err
    (step,) = re.findall(r"stopped after step (\d+)", err)
    assert load_checkpoint(tmp_path).global_step == int(step) > 0
    again = start(root, tmp_path)
    before = (tmp_path / NAME).stat().st_mtime_ns
    while again.poll() is None and (tmp_path / NAME).stat().st_mtime_ns == before:
        time.sleep(0.05)
    again.send_signal(signal.SIGINT)
    _, err = again.communicate(timeout=60)
    assert (again.returncode, load_checkpoint(tmp_path).global_step > int(step)) == (130, True), err


def test_a_signal_before_the_first_step_ends_a_run(root, tmp_path):
    process = start(root, tmp_path / "run")
    while not (tmp_path / "run").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "Traceback" not in err


@pytest.fixture
def pair(root, tmp_path):
    """Start the two processes of a run, as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [start(root, tmp_path, RANK=rank, LOCAL_RANK=rank, **shared) for rank in ("0", "1")]
    wait_for_checkpoint(tmp_path, *processes)
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_others_in_one_line(pair, tmp_path, killed):
    pair[killed].kill()
    _, err = pair[1 - killed].communicate(timeout=60)
    last = err.splitlines()[-1]
    assert pair[1 - killed].returncode == 1, err
    assert "Traceback" not in err
    assert "another process of this run is gone; the same command goes on" in last
    assert load_checkpoint(tmp_path).global_step > 0


def test_a_signal_to_both_processes_stops_the_run(pair, tmp_path):
    for process in pair:
        process.send_signal(signal.SIGINT)
    ends = [process.communicate(timeout=60)[1] for process in pair]
    assert [process.returncode for process in pair] == [130, 130], ends
    assert "Traceback" not in "".join(ends)
    (step,) = re.findall(r"stopped after step (\d+)", "".join(ends))
    assert load_checkpoint(tmp_path).global_step == int(step)
