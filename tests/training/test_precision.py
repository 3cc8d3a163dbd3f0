"""Mixed precision: products in bfloat16, weights and losses in float32, on a CPU as well."""

from __future__ import annotations

import pytest
import torch

from asr_gru.errors import ConfigError
from asr_gru.nn.fast_gru import bf16_available, fast_gru


def test_mixed_precision_trains_on_a_cpu(tone_corpus, tmp_path):
    losses = {}
    for precision in ("float32", "bf16", "auto"):
        config = tone_corpus.config(gru_kernel="torch", precision=precision)
        state, losses[precision] = tone_corpus.train(tmp_path / precision, config)
        assert {value.dtype for value in state.weights.values()} == {torch.float32}
    assert losses["bf16"] != losses["float32"]
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["auto"] == losses["float32"]


def test_the_kernel_follows_the_precision(tone_corpus, tmp_path):
    config = tone_corpus.config(gru_kernel="auto", precision="bf16", epochs=1)
    state, _ = tone_corpus.train(tmp_path / "run", config)
    assert state.config.gru_kernel == ("bf16" if bf16_available() else "torch")


@pytest.mark.parametrize(("kernel", "precision"), [("float32", "bf16"), ("bf16", "float32")])
def test_a_kernel_of_another_precision_is_refused(tone_corpus, kernel, precision):
    with pytest.raises(ConfigError, match="precision"):
        tone_corpus.config(gru_kernel=kernel, precision=precision)


def test_autocast_does_not_reach_into_the_package_s_gru():
    rnn = torch.nn.GRU(8, 8)
    weights = (rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0)
    x, start = torch.randn(5, 2, 8), torch.zeros(2, 8)
    expected = fast_gru(x, *weights, start, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast_gru(x, *weights, start, torch.float32), expected)
