"""Two decoded parts of a small corpus, and a trainer over them."""

import json

import numpy as np
import pytest
import soundfile
import torch

from asr_gru.nn.net import AcousticNet
from asr_gru.training.checkpoint import (
    Checkpoint,
    save_checkpoint,
)
from asr_gru.training.config_file import parse_train_config
from recipes.en_small.gpu.decode import decode
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
