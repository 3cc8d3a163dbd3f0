"""Fixtures that run the command line in this process."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from asr_gru.cli import main


@dataclass(frozen=True)
class Result:
    status: str | int | None
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs ``asr-gru`` in this process."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["asr-gru", *map(str, arguments)])
        capsys.readouterr()
        status: str | int | None = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call


RATE = 16_000
CONFIG = """
epochs = 1
curriculum_epochs = 0
gru_kernel = "float32"
[data]
train = ["list.tsv"]
validation = ["list.tsv"]
batch_s = 8
[optimiser]
warmup_steps = 2
[encoder]
layers = 1
width = 32
"""


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    lines = ["path\ttext\tspeaker"]
    for number in range(12):
        letters = "".join(random.choice(list("ab"), 3))
        tones = [
            np.sin(2 * np.pi * {"a": 500, "b": 1500}[letter] * np.arange(RATE // 3) / RATE) * 0.2
            for letter in letters
        ]
        soundfile.write(tmp_path / f"{number}.wav", np.concatenate(tones), RATE)
        lines.append(f"{number}.wav\t{' '.join(letters)}\ts")
    (tmp_path / "list.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "tiny.toml").write_text(CONFIG)
    return tmp_path
