"""Exported models are complete directories, and are refused if they recognise less."""

import numpy as np
import pytest

from asr_gru.backends import load_acoustic_model
from asr_gru.errors import ModelError
from asr_gru.export.exporter import Card, export_model
from asr_gru.model.config import SpeechConfig
from asr_gru.model.directory import ModelDirectory
from tests.export.nets import TOKENS, make_net, sound


def check_set(net):
    return [(sound(net, seed=seed)[0], "abc") for seed in range(3)]


def test_an_export_is_a_model_directory(tmp_path):
    net = make_net(lookahead=2)
    card = Card(
        name="tiny", language="en", licence="CC0", speech=SpeechConfig(shown=3.0, kept=-1.0)
    )
    report = export_model(
        net,
        TOKENS,
        tmp_path / "tiny",
        card,
        calibration=[sound(net)[0]],
        check=check_set(net),
        bound=1000.0,
        with_float=True,
        with_weights=True,
    )
    assert report.int8.megabytes < report.float32.megabytes
    assert report.int8.words.words == 3
    assert 0 < report.agreement <= 100
    directory = ModelDirectory.open(tmp_path / "tiny")
    assert directory.config.lookahead_frames == 2
    assert directory.config.speech == card.speech
    assert directory.tokenizer().decode(TOKENS.encode("abc")) == "abc"
    onnx, weights = (load_acoustic_model(directory, backend=b) for b in ("onnx", "torch"))
    samples = sound(net)
    difference = onnx.finish(samples, onnx.start()) - weights.finish(samples, weights.start())
    assert np.abs(difference).max() < 0.5


def test_an_export_that_increases_the_error_rate_is_refused(tmp_path):
    net = make_net()
    with pytest.raises(ModelError, match="lost"):
        export_model(
            net,
            TOKENS,
            tmp_path / "tiny",
            Card(name="tiny"),
            calibration=[sound(net)[0]],
            check=check_set(net),
            bound=-1000.0,
        )
    assert list(tmp_path.iterdir()) == []
