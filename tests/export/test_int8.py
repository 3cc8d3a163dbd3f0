"""Graphs with int8 weights are close to those in float."""

import numpy as np
import onnx
import pytest
import torch

from asr_gru.errors import DataError
from asr_gru.export.acoustic_graph import acoustic_graph
from asr_gru.export.calibrate import calibrate
from asr_gru.export.equalise import equalise
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.nn.torch_model import acoustic_info
from tests.export.nets import GRU, KINDS, make_net, models, sound

RNN = "encoder.forwards"


def rms_difference(one, other, samples):
    """Return the RMS difference of the log-probabilities of two models."""
    rows = [model.finish(samples, model.start()) for model in (one, other)]
    return np.sqrt(np.mean((rows[0] - rows[1]) ** 2))


@pytest.mark.parametrize("kind", KINDS)
def test_int8_log_probabilities_are_close_to_float(kind):
    net = make_net(**KINDS[kind])
    samples = sound(net)
    exact, small = models(net)
    assert 0 < rms_difference(exact, small, samples) < 0.03


@pytest.mark.parametrize(
    ("exact", "floats"),
    [
        (("encoder.conv", "encoder.head"), {"encoder.conv.first.weight", "encoder.head.weight"}),
        (
            ("encoder.norms.1", "encoder.forwards.0"),
            {f"{RNN}.1.rnn.weight_ih_l0", f"{RNN}.0.rnn.weight_hh_l0"},
        ),
        ((), set()),
    ],
)
def test_products_listed_as_exact_stay_in_float(exact, floats):
    net = make_net(**KINDS["conv"])
    samples = sound(net)
    data = acoustic_graph(net, calibrate(net, [samples[0]]), exact=exact)
    model = OnnxAcousticModel(data, acoustic_info(net))
    assert np.isfinite(model.finish(samples, model.start())).all()
    kinds = {c.name: c.data_type for c in onnx.load_from_string(data).graph.initializer}
    weights = {
        name for name, p in net.encoder.named_parameters() if p.ndim > 1 and name != "lookahead"
    }
    for name in (f"encoder.{weight}" for weight in weights):
        wanted = onnx.TensorProto.FLOAT if name in floats else onnx.TensorProto.INT8
        assert kinds[name] == wanted, name


def test_a_calibration_without_recordings_is_refused():
    with pytest.raises(DataError, match="no recordings to calibrate on"):
        calibrate(GRU, [])


def with_outliers(**encoder):
    """Return a network with an outlier unit in each norm and an outlier channel."""
    net = make_net(**encoder)
    with torch.no_grad():
        net.encoder.subsample_norm.bias[3] = 30.0
        net.encoder.head.weight[:, 5] *= 0.02
        net.encoder.norm.weight[5] = 50.0
        if net.config.encoder.subsampler == "conv":
            net.encoder.conv.first.bias[2] = 20.0
    return net


@pytest.mark.parametrize("kind", ["gru", "bidirectional lstm", "conv"])
def test_outlier_units_do_not_reduce_the_resolution_of_others(kind):
    net = with_outliers(**KINDS[kind])
    samples = sound(net)
    exact, small = models(net)
    assert 0 < rms_difference(exact, small, samples) < 0.006


@pytest.mark.parametrize("kind", KINDS)
def test_an_equalised_network_has_the_same_function(kind):
    net = with_outliers(**KINDS[kind])
    samples = torch.from_numpy(sound(net, batch=2))
    seen = calibrate(net, list(sound(net)))
    other, after = equalise(net, seen)
    torch.testing.assert_close(other(samples)[0], net(samples)[0], atol=2e-4, rtol=1e-4)
    measured = calibrate(other, list(sound(net)))
    for name, statistics in measured.items():
        if name.startswith("encoder.norms."):  # the means are measured before the affine part
            norm = other.get_submodule(name)
            gain, shift = (part.detach().double().numpy() for part in norm.parameters())
            statistics = statistics.scaled(gain, shift)
        for field in ("low", "high", "mean", "covariance"):
            wanted = getattr(statistics, field)
            np.testing.assert_allclose(
                getattr(after[name], field), wanted, atol=1e-3 * max(1.0, np.abs(wanted).max())
            )
