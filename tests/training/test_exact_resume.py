"""A stopped or killed run resumes as if it had never been interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr_gru.training.checkpoint import load_checkpoint
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.distributed import Processes
from asr_gru.training.loop import Run, train

RATE = 16_000
CONFIG = {
    "epochs": 3,
    "cr_ctc_weight": 0.2,
    "ctc_crf_weight": 0.8,
    "gru_kernel": "float32",
    "data": {"train": ["list.tsv"], "batch_s": 6.0, "noise_only": 0.2},
    "augment": {
        "pause_prob": 0.5,
        "speed_prob": 0.5,
        "gain_db": [-10.0, 5.0],
        "bandwidth_prob": 0.5,
        "babble_prob": 0.5,
        "frequency_masks": 1,
        "time_masks": 2,
    },
    "optimiser": {"warmup_steps": 3},
    "encoder": {"layers": 1, "width": 24, "dropout": 0.2},
}
ALONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    lines = ["path\ttext"]
    for number in range(14):
        soundfile.write(tmp_path / f"{number}.wav", random.standard_normal(RATE) * 0.1, RATE)
        lines.append(f"{number}.wav\t{'abc'[number % 3]} {'cab'[number % 3]}")
    (tmp_path / "list.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def train_run(data: Path, name: str, stop_after: int | None = None):
    run = Run(data / name, data, data / "cache", stop_after=stop_after)
    return train(parse_train_config(CONFIG), run, ALONE, lambda _line: None)


def assert_same_state(one, other):
    assert (one.global_step, one.epoch, one.step_in_epoch) == (
        other.global_step,
        other.epoch,
        other.step_in_epoch,
    )
    for name in ("weights", "ema"):
        for key, value in getattr(one, name).items():
            assert torch.equal(value, getattr(other, name)[key]), (name, key)


def test_a_stopped_run_resumes_exactly(data):
    whole = train_run(data, "whole")
    for stop in (1, 4, 5, 8):
        train_run(data, "parts", stop_after=stop)
    assert_same_state(train_run(data, "parts"), whole)
    assert_same_state(load_checkpoint(data / "parts"), whole)


def test_another_seed_gives_another_run(data):
    whole = train_run(data, "whole")
    run = Run(data / "other", data, data / "cache")
    other = train(parse_train_config({**CONFIG, "seed": 2}), run, ALONE, lambda _line: None)
    assert not torch.equal(
        whole.weights["encoder.head.weight"], other.weights["encoder.head.weight"]
    )


def test_a_killed_run_resumes_exactly(data):
    code = (
        "import sys, json, torch; from pathlib import Path\n"
        "from asr_gru.training.config_file import parse_train_config\n"
        "from asr_gru.training.distributed import Processes\n"
        "from asr_gru.training.loop import Run, train\n"
        "torch.set_num_threads(1)\n"
        "data = Path(sys.argv[1])\n"
        "run = Run(data / 'killed', data, data / 'cache', save_every_s=0.0)\n"
        "train(parse_train_config(json.loads(sys.argv[2])), run, "
        "Processes(0, 1, torch.device('cpu')), lambda line: None)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(data), json.dumps(CONFIG)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while not (data / "killed" / "checkpoint.pt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert_same_state(train_run(data, "killed"), train_run(data, "whole"))
