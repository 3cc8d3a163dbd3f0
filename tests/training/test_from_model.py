"""Conversion of model directories back to weights for training."""

import numpy as np
import onnx
import pytest
import torch

from asr_gru.errors import ModelError
from asr_gru.export.exporter import Card, export_model
from asr_gru.model.directory import ModelDirectory, write_model_directory
from asr_gru.model.net_config import EncoderConfig, LevelConfig, NetConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import TorchAcousticModel
from asr_gru.text import build_character_tokenizer
from asr_gru.training.from_model import net_from_directory

TOKENS = build_character_tokenizer(["abcdefghij "])
KINDS = {
    "gru": {},
    "lstm": {"cell": "lstm"},
    "rnn x3": {"cell": "rnn", "subsampling": 3},
    "look-ahead x2": {"lookahead": 3, "subsampling": 2},
    "bidirectional": {"direction": "bi"},
    "chunked": {"direction": "chunked", "chunk_frames": 4, "right_frames": 2},
    "conv": {"subsampler": "conv", "subsampling": 3, "conv_channels": 8},
}


def noise():
    return np.random.default_rng(0).standard_normal((1, 32_000)).astype("float32") * 0.05


def exported(folder, kind="gru", *, with_weights=False):
    torch.manual_seed(0)
    level = LevelConfig(cmvn="mean_variance" if kind == "conv" else "none")
    config = NetConfig(level=level, encoder=EncoderConfig(width=32, layers=2, **KINDS[kind]))
    net = AcousticNet(config, len(TOKENS)).eval()
    for name, value in net.state_dict().items():
        if "norm" in name or "level" in name or "lookahead" in name:
            value += 0.1 * torch.rand_like(value)
    card = Card(name="tiny")
    export_model(
        net,
        TOKENS,
        folder,
        card,
        calibration=[noise()[0]],
        check=[(noise()[0], "a b")],
        bound=1000.0,
        with_weights=with_weights,
    )
    return net


@pytest.mark.parametrize("kind", KINDS)
def test_converted_weights_agree_within_rounding(tmp_path, kind):
    net = exported(tmp_path / "model", kind)
    directory = ModelDirectory.open(tmp_path / "model")
    back = net_from_directory(directory)
    assert back.config == net.config
    wanted = TorchAcousticModel(net).finish(noise(), TorchAcousticModel(net).start())
    found = TorchAcousticModel(back).finish(noise(), TorchAcousticModel(back).start())
    assert 0 < np.sqrt(np.mean((found - wanted) ** 2)) < 0.02
    np.testing.assert_array_equal(back.level.mean, net.level.mean)
    np.testing.assert_array_equal(back.level.scale, net.level.scale)


def test_stored_float_weights_are_restored_exactly(tmp_path):
    net = exported(tmp_path / "model", with_weights=True)
    back = net_from_directory(ModelDirectory.open(tmp_path / "model"))
    for name, value in net.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value, rtol=0, atol=0)


def test_the_order_of_nodes_does_not_matter(tmp_path):
    exported(tmp_path / "model", "look-ahead x2")
    directory = ModelDirectory.open(tmp_path / "model")
    wanted = net_from_directory(directory).state_dict()
    graph = onnx.load(directory.acoustic_path)
    shuffled = list(graph.graph.initializer)[::-1]
    del graph.graph.node[:], graph.graph.initializer[:]
    graph.graph.initializer.extend(shuffled)
    back = net_from_directory(with_graph(directory, tmp_path / "shuffled", graph))
    for name, value in back.state_dict().items():
        torch.testing.assert_close(value, wanted[name], rtol=0, atol=0)


def test_a_graph_with_norms_folded_into_the_layers_is_read(tmp_path):
    """Graphs of earlier exports have no affine parts in the norms before the layers."""
    exported(tmp_path / "model")
    directory = ModelDirectory.open(tmp_path / "model")
    graph = onnx.load(directory.acoustic_path)
    kept = [c for c in graph.graph.initializer if not c.name.startswith("encoder.norms.")]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    back = net_from_directory(with_graph(directory, tmp_path / "earlier", graph))
    for norm in back.encoder.norms:
        torch.testing.assert_close(norm.weight, torch.ones(32))
        torch.testing.assert_close(norm.bias, torch.zeros(32))


@pytest.mark.parametrize(
    "lost", ["encoder.head.weight", "encoder.subsample.weight_scale", "level.mean"]
)
def test_another_graph_is_refused(tmp_path, lost):
    exported(tmp_path / "model")
    directory = ModelDirectory.open(tmp_path / "model")
    graph = onnx.load(directory.acoustic_path)
    kept = [c for c in graph.graph.initializer if c.name != lost]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    foreign = with_graph(directory, tmp_path / "foreign", graph)
    with pytest.raises(ModelError, match="--weights"):
        net_from_directory(foreign)


def with_graph(directory, folder, graph):
    tokens = (directory.path / "tokens.txt").read_bytes()
    files = {"acoustic.onnx": graph.SerializeToString(), "tokens.txt": tokens}
    return write_model_directory(folder, directory.config, files)
