"""Back from a model directory to weights that training can go on from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor

from asr_gru.errors import ModelError
from asr_gru.model.directory import GRAPH, WEIGHTS, ModelDirectory
from asr_gru.model.net_config import EncoderConfig, NetConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import TorchAcousticModel

__all__ = ["net_from_directory"]

Constants = dict[str, npt.NDArray[Any]]
Product = tuple[Tensor, Tensor]
"""Weight ``(outputs, inputs)`` and bias ``(outputs,)``."""


def net_from_directory(directory: ModelDirectory) -> AcousticNet:
    """Return the network of a model directory, in evaluation mode.

    With ``weights.npz`` it is the network that was exported. Without, the int8 weights are
    multiplied by their scales: the same function up to the rounding of the export, with the
    layer norms' affine parts left where the export folded them.

    Raises:
        ModelError: the graph is not one that ``asr-gru export`` wrote.
    """
    path = directory.path
    if WEIGHTS in directory.config.files:
        return TorchAcousticModel.load(path / WEIGHTS, directory.config.network, directory.info).net
    try:
        config = msgspec.convert(directory.config.network, NetConfig)
        net = AcousticNet(config, directory.info.tokens).eval()
        weights = _weights(path / GRAPH, config.encoder)
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
            f"{path / GRAPH}: not the int8 graph of a model that asr-gru export wrote; "
            "export it with --weights"
        ) from None
    return net


def _weights(path: Path, config: EncoderConfig) -> dict[str, Tensor]:
    graph = onnx.load(path, load_external_data=False).graph
    constants = {c.name: numpy_helper.to_array(c) for c in graph.initializer}
    nodes = list(_in_order(graph))
    products = iter(_products(nodes, constants))
    weights: dict[str, Tensor] = {}

    def take(weight: str, bias: str) -> None:
        found = next(products, None)
        if found is None:
            raise ValueError("fewer products than the network has")
        weights[weight], weights[bias] = found

    take("encoder.subsample.weight", "encoder.subsample.bias")
    sides = ["forwards"] if config.direction == "uni" else ["forwards", "backwards"]
    for layer in range(config.layers):
        for side in sides:
            tag = f"encoder.{side}.{layer}.rnn"
            take(f"{tag}.weight_ih_l0", f"{tag}.bias_ih_l0")
            take(f"{tag}.weight_hh_l0", f"{tag}.bias_hh_l0")
    take("encoder.head.weight", "encoder.head.bias")
    if next(products, None) is not None:
        raise ValueError("more products than the network has")
    norms = [node for node in nodes if node.op_type == "LayerNormalization"]
    for name, node in (("subsample_norm", norms[0]), ("norm", norms[-1])):
        weights[f"encoder.{name}.weight"] = _tensor(constants[node.input[1]])
        weights[f"encoder.{name}.bias"] = _tensor(constants[node.input[2]])
    weights.update(_level(nodes, constants, config.subsampling))
    if config.lookahead:
        rows = [
            constants[node.input[1]]
            for node in nodes
            if node.op_type == "Mul" and _shape(node, constants) == (config.width,)
        ]
        weights["encoder.lookahead"] = _tensor(np.stack(rows))
    return weights


def _in_order(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Walk all nodes as they were written, the body of a Scan where the Scan is."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.name == "body":
                yield from _in_order(attribute.g)


def _products(nodes: list[onnx.NodeProto], constants: Constants) -> list[Product]:
    """Return every int8 product once, in order; a chunked model's graph uses some twice."""
    found: dict[str, Product] = {}
    for node in nodes:
        if node.op_type == "MatMulIntegerToFloat":
            whole, scales, bias = (constants[node.input[i]] for i in (1, 3, 6))
            weight = _tensor(whole.astype(np.float32) * scales)
            found.setdefault(node.input[1], (weight.T.contiguous(), _tensor(bias)))
    return list(found.values())


def _level(
    nodes: list[onnx.NodeProto],
    constants: Constants,
    factor: int,
) -> dict[str, Tensor]:
    """Mean and scale of each mel bin: what is taken from the last logarithm, and multiplied."""
    last = max(i for i, node in enumerate(nodes) if node.op_type == "Log")
    shift, scale = nodes[last + 1], nodes[last + 2]
    if (shift.op_type, scale.op_type) != ("Sub", "Mul"):
        raise ValueError("no normalisation after the logarithm")
    values = [constants[node.input[1]].reshape(factor, -1)[0] for node in (shift, scale)]
    return {"level.mean": _tensor(values[0]), "level.scale": _tensor(values[1])}


def _shape(node: onnx.NodeProto, constants: Constants) -> tuple[int, ...] | None:
    constant = constants.get(node.input[1])
    return None if constant is None else constant.shape


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))
