"""The exported graph agrees with the network, and other graphs are refused."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from onnx import helper

from asr_gru.errors import ModelError
from asr_gru.export.acoustic_graph import acoustic_graph, state_shapes
from asr_gru.model.net_config import LevelConfig
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.nn.torch_model import TorchAcousticModel, acoustic_info
from tests.export.nets import GRU, KINDS, TOKENS, make_net, models, sound


@pytest.mark.parametrize("kind", KINDS)
def test_the_float_graph_agrees_with_the_network(kind):
    """Features, network and states agree to 1e-4."""
    net = make_net(**KINDS[kind])
    samples = sound(net, batch=3)
    expected = TorchAcousticModel(net)
    graph, _ = models(net)
    rows, state = graph.step(samples, graph.start(3))
    wanted, wanted_state = expected.step(samples, expected.start(3))
    np.testing.assert_allclose(rows, wanted, atol=1e-4)
    for one, other in zip(state, wanted_state, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_fixed_statistics_can_be_exported():
    net = make_net(level=LevelConfig(follow=False))
    samples = sound(net)
    graph, _ = models(net)
    wanted = TorchAcousticModel(net)
    np.testing.assert_allclose(
        graph.finish(samples, graph.start()), wanted.finish(samples, wanted.start()), atol=1e-4
    )


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([("samples", [])], [("log_probs", [])]),
        ([("samples", ["b", "n"])], [("log_probs", ["b", "n"])]),
        ([("samples", ["b", "n", 11])], [("log_probs", ["b", "n", 11])]),
        ([("sound", ["b", "n"])], [("log_probs", ["b", "n"])]),
        ([("x", ["b", "k"]), ("samples", ["b", "n"])], [("a", ["b", "k"]), ("c", ["b", "n"])]),
    ],
)
def test_a_graph_with_other_inputs_is_refused(inputs, outputs):
    nodes = [
        helper.make_node("Identity", [x], [y])
        for (x, _), (y, _) in zip(inputs, outputs, strict=True)
    ]
    ends = [
        [helper.make_tensor_value_info(name, 1, shape) for name, shape in side]
        for side in (inputs, outputs)
    ]
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(
        helper.make_graph(nodes, "other", *ends), opset_imports=opset, ir_version=9
    )
    with pytest.raises(ModelError, match="not an acoustic model"):
        OnnxAcousticModel(model.SerializeToString(), acoustic_info(GRU))


def test_a_graph_of_another_size_is_refused():
    info = replace(acoustic_info(GRU), vocab_size=len(TOKENS) + 1)
    with pytest.raises(ModelError, match=f"{len(TOKENS)} tokens"):
        OnnxAcousticModel(acoustic_graph(GRU, None), info)


@pytest.mark.parametrize("kind", ["empty", "cut zip", "pickle", "one array", "another net"])
def test_invalid_weight_files_are_refused(tmp_path, kind):
    path = tmp_path / "weights.npz"
    if kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "another net":
        np.savez(path, weight=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "cut zip": b"PK\x03\x04..", "pickle": b"\x80\x04N."}[kind])
    network = msgspec.to_builtins(GRU.config)
    with pytest.raises(ModelError, match=r"weights\.npz: not this model"):
        TorchAcousticModel.load(path, network, acoustic_info(GRU))


@pytest.mark.parametrize("kind", ["gru", "look-ahead x2", "chunked"])
def test_finish_returns_every_row(kind):
    net = make_net(**KINDS[kind])
    frame, delay = net.config.frame_samples, net.config.encoder.delay
    for model in [*models(net), TorchAcousticModel(net)]:
        for count, frames in ((0, 0), (1, 1), (frame, 1), (4 * frame + 1, 5)):
            samples = np.zeros((2, count), np.float32)
            assert model.finish(samples, model.start(2)).shape == (2, frames + delay, len(TOKENS))


def test_states_are_in_the_order_of_their_names():
    shapes = state_shapes(make_net(cell="lstm"))
    assert list(shapes) == [
        "tail",
        "level",
        "age",
        "block",
        "layer0",
        "memory0",
        "layer1",
        "memory1",
    ]
    assert shapes["tail"] == (240,)
    assert list(state_shapes(make_net(**KINDS["conv"])))[3:7] == [
        "bin_mean",
        "bin_variance",
        "speech",
        "block",
    ]
