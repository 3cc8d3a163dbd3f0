"""Recovers a trainable network from a model directory."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor

from asr_gru.errors import ModelError
from asr_gru.export.feature_graph import matrix_to_weight
from asr_gru.export.onnx_builder import SCALE
from asr_gru.model.directory import GRAPH, WEIGHTS, ModelDirectory
from asr_gru.model.net_config import NetConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import TorchAcousticModel

__all__ = ["net_from_directory"]


def net_from_directory(directory: ModelDirectory) -> AcousticNet:
    """Return the network of a model directory, in evaluation mode.

    With ``weights.npz`` it is the network that was exported. Without it, the int8 weights are
    multiplied by their scales: the same function up to quantisation error, with the units of some
    layers scaled and shifted (``export/equalise.py``).

    Raises:
        ModelError: the graph was not written by ``asr-gru export``.
    """
    path = directory.path
    if WEIGHTS in directory.config.files:
        return TorchAcousticModel.load(path / WEIGHTS, directory.config.network, directory.info).net
    try:
        config = msgspec.convert(directory.config.network, NetConfig)
        net = AcousticNet(config, directory.info.vocab_size).eval()
        weights = _weights(path / GRAPH, net)
        net.load_state_dict({**net.state_dict(), **weights})
    except (
        DecodeError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        msgspec.ValidationError,
    ):
        raise ModelError(
            f"{path / GRAPH}: not an int8 graph written by asr-gru export; export it with --weights"
        ) from None
    return net


def _weights(path: Path, net: AcousticNet) -> dict[str, Tensor]:
    """Return the parameters, which are initialisers of the same names in the graph."""
    graph = onnx.load(path, load_external_data=False).graph
    arrays = {c.name: numpy_helper.to_array(c) for c in graph.initializer}
    weights: dict[str, Tensor] = {}
    for name, value in net.state_dict().items():
        if name.startswith("encoder.norms.") and name not in arrays:
            continue  # in graphs of earlier exports, folded into the layers behind them
        if name == "encoder.lookahead":
            array = np.stack([arrays[f"{name}.{k}"] for k in range(len(value))])
        elif name.startswith("level."):
            array = arrays[name].reshape(-1, len(value))[0]
        elif value.ndim > 1:
            matrix = arrays[name]
            if matrix.dtype == np.int8:
                matrix = matrix * arrays[name + SCALE]
            array = matrix_to_weight(matrix, tuple(value.shape))
        else:
            array = arrays[name]
        weights[name] = torch.from_numpy(np.array(array, np.float32))
    return weights
