"""A run for some minutes leaves files from which it can be continued."""

import json
import sys

import numpy as np
import pytest
import soundfile
import torch

from asr_gru.training.checkpoint import load_checkpoint, net_from_checkpoint
from recipes.en_small import gpu

RATE = 16_000
CONFIG = """
epochs = 2
gru_kernel = "torch"

[data]
train = ["list.tsv"]
validation = ["list.tsv"]
batch_s = 3.0

[encoder]
layers = 1
width = 16
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    lines = ["path\ttext"]
    for number in range(8):
        soundfile.write(tmp_path / f"{number}.wav", random.standard_normal(RATE) * 0.1, RATE)
        lines.append(f"{number}.wav\t{'abc'[number % 3]} {'cab'[number % 3]}")
    (tmp_path / "list.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "run.toml").write_text(CONFIG)
    monkeypatch.setattr(gpu, "MEMORY", tmp_path / "memory")
    (tmp_path / "memory").mkdir()
    return tmp_path


def test_everything_needed_at_home_is_in_the_folder(root, monkeypatch):
    out = root / "out"
    (root / "run.toml").write_text(f'{CONFIG}[[stage]]\nname = "a"\n[[stage]]\nname = "b"\n')
    without = ["gpu", f"{root}/run.toml", "--root", str(root), "--until", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", without)
    with pytest.raises(SystemExit):
        gpu.main()
    words = f"gpu {root}/run.toml --stage b --root {root} --until 0.4 --reserve 0.02 --out {out}"
    monkeypatch.setattr(sys, "argv", [*words.split(), "--part-mib", "0.01"])
    gpu.main()
    parts = sorted(out.glob("checkpoint.pt.*"))
    assert len(parts) > 1
    assert max(part.stat().st_size for part in parts) <= 0.01 * 2**20
    assert {path.name for path in out.iterdir()} == {
        "log.jsonl",
        "tokens.txt",
        *(part.name for part in parts),
    }
    home = root / "home"
    home.mkdir()
    (home / "checkpoint.pt").write_bytes(b"".join(part.read_bytes() for part in parts))
    state = load_checkpoint(home)
    assert state.global_step > 0
    assert not state.optimiser
    log_probs, _ = net_from_checkpoint(state)(torch.zeros(1, RATE))
    assert torch.isfinite(log_probs).all()
    last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == state.global_step
