"""A tiny model on disk, and the command line called in this process."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from asr_gru.cli import main
from asr_gru.nn.acoustic import AcousticNet
from asr_gru.nn.config import EncoderConfig, NetConfig
from asr_gru.nn.export import Card, export_model
from asr_gru.text import build_characters


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A network that knows nothing, but writes plenty."""
    torch.manual_seed(1)
    tokens = build_characters(["abcdefghij "])
    net = AcousticNet(NetConfig(encoder=EncoderConfig(width=32, layers=1)), len(tokens)).eval()
    net.encoder.head.weight.data *= 8
    noise = np.random.default_rng(0).standard_normal(32_000).astype("float32") * 0.1
    folder = tmp_path_factory.mktemp("models") / "tiny"
    card = Card(name="tiny", language="en", licence="CC0")
    export_model(
        net, tokens, folder, card, calibration=[noise], check=[(noise, "a b")], bound=1000.0
    )
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Call ``asr-gru`` with arguments."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["asr-gru", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call
