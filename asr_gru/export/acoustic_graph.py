"""The acoustic model as one ONNX graph: samples and states in, log-probabilities and states out.

It does what ``AcousticNet.forward`` does, in the same order; ``feature_graph.py`` has the first
half. All products take each row by itself and everything else is element-wise or within a row, so
results are bit-identical for every length and batch. One ONNX Scan per layer lets any number of
frames through. Weights are initialisers named after their parameters.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru.export.calibrate import Calibration
from asr_gru.export.equalise import equalise
from asr_gru.export.feature_graph import FeatureGraph
from asr_gru.export.onnx_builder import Graph, Quantised, Range
from asr_gru.nn.net import AcousticNet

__all__ = ["acoustic_graph", "state_shapes"]

Array = npt.NDArray[np.float32]
EXACT = ("encoder.conv", "encoder.head")
"""Products that stay in float32: the first convolution and the head, which are small."""

HIDDEN: Range = (-128 / 127, 1.0)
"""States of all cells lie within -1 and 1."""


def state_shapes(net: AcousticNet) -> dict[str, tuple[int, ...]]:
    """Return name and shape (without the batch) of each array of state, in order."""
    encoder = net.config.encoder
    names = ["tail", "level", "age"]
    names += [] if net.config.level.cmvn == "none" else ["bin_mean", "bin_variance", "speech"]
    names += ["block"]
    for layer in range(encoder.layers):
        names += [f"layer{layer}"] + ([f"memory{layer}"] if encoder.cell == "lstm" else [])
    names += ["held"] if encoder.delay else []
    shapes = [tuple(array.shape[1:]) for array in net.start(1)]
    return dict(zip(names, shapes, strict=True))


def acoustic_graph(
    net: AcousticNet, seen: Calibration | None, *, exact: Collection[str] = EXACT
) -> bytes:
    """Return the ONNX file of ``net``: int8 with a calibration, float32 without.

    Args:
        net: the network.
        seen: from ``calibrate``; None for float32.
        exact: modules whose products stay in float32, by the names of ``Calibration``.
    """
    if seen is None:
        return _Writer(net, {}).write()
    net, seen = equalise(net, seen)
    return _Writer(net, {name: seen[name] for name in seen if name not in exact}).write()


class _Writer:
    def __init__(self, net: AcousticNet, seen: Calibration) -> None:
        self.net = net
        self.seen = seen
        self.graph = Graph()
        self.encoder = net.config.encoder
        self.weights = {name: value.numpy() for name, value in net.state_dict().items()}
        self.next: dict[str, str] = {}

    def write(self) -> bytes:
        graph, config = self.graph, self.net.config
        shapes = state_shapes(self.net)
        x = self._subsampled(FeatureGraph(graph, self.net, self.seen, self.next).write())
        x = self._chunk(x) if self.encoder.direction == "chunked" else self._layers(x, None)
        x = self._norm("encoder.norm", x)
        if self.encoder.lookahead:
            x = self._look_ahead(x)
        x = self._linear("encoder.head", x)
        x = graph.op("LogSoftmax", x, axis=-1)
        graph.name_output(graph.op("Transpose", x, perm=[1, 0, 2]), "log_probs")
        for name, value in self.next.items():
            graph.name_output(value, f"next_{name}")
        chunk: Any = "n"
        if self.encoder.direction == "chunked":
            chunk = self.encoder.chunk_frames * config.frame_samples
        states = [(name, ["batch", *shape]) for name, shape in shapes.items()]
        return graph.model(
            [("samples", ["batch", chunk]), *states],
            [
                ("log_probs", ["batch", "frames", self.net.vocab_size]),
                *((f"next_{name}", shape) for name, shape in states),
            ],
        )

    def _subsampled(self, x: str | Quantised) -> str:
        x = self._linear("encoder.subsample", x)
        return self.graph.op("Relu", self._norm("encoder.subsample_norm", x))

    def _layers(self, x: str, keep: int | None) -> str:
        """Write all layers; with ``keep``, the next states are those after that many frames."""
        graph = self.graph
        for index in range(self.encoder.layers):
            normed = self._norm(f"encoder.norms.{index}", x)
            names = [f"layer{index}", f"memory{index}"][: 2 if self.encoder.cell == "lstm" else 1]
            first = normed if keep is None else graph.slice(normed, 0, keep, 0)
            last, y = self._recurrent("forwards", index, first, names)
            self.next.update(zip(names, last, strict=True))
            if keep is not None:
                rest = graph.slice(normed, keep, None, 0)
                y = graph.op("Concat", y, self._recurrent("forwards", index, rest, last)[1], axis=0)
            if self.encoder.direction != "uni":
                zeros = [graph.op("Mul", name, graph.constant([0.0])) for name in names]
                backward = self._recurrent("backwards", index, normed, zeros, backward=True)[1]
                y = graph.op("Add", y, backward)
            x = graph.op("Add", x, y)
        return x

    def _recurrent(
        self, side: str, index: int, x: str, start: list[str], *, backward: bool = False
    ) -> tuple[list[str], str]:
        """Write one layer."""
        graph, width, cell = self.graph, self.encoder.width, self.encoder.cell
        tag = f"encoder.{side}.{index}.rnn"
        w_in, w_h, b_in, b_h = (
            self.weights[f"{tag}.{name}_l0"]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        within = b_h.copy()  # only the new gate's bias has to stay inside the recurrence
        within[: 2 * width if cell == "gru" else None] = 0.0
        normed = self.seen.get(f"encoder.norms.{index}")
        from_input = graph.linear(
            x,
            w_in.T,
            b_in + b_h - within,
            normed.span if normed else None,
            seen=normed,
            names=(f"{tag}.weight_ih_l0", f"{tag}.bias_ih_l0"),
        )
        states = self.seen.get(f"encoder.{side}.{index}")
        body = Graph(graph)
        prefix = f"b{graph.number()}"
        recurrent = body.linear(
            f"{prefix}_h",
            w_h.T,
            within,
            HIDDEN if states else None,
            seen=states,
            names=(f"{tag}.weight_hh_l0", f"{tag}.bias_hh_l0"),
        )
        carried = [(start[0], f"{prefix}_h", width)]
        if cell == "gru":
            both, new = graph.ops(
                "Split", from_input, graph.integers(2 * width, width), outputs=2, axis=-1
            )
            inputs = [(both, f"{prefix}_rz", 2 * width), (new, f"{prefix}_n", width)]
            results = [_gru(body, prefix, recurrent, width)]
        else:
            inputs = [(from_input, f"{prefix}_x", w_in.shape[0])]
            gates = body.op("Add", f"{prefix}_x", recurrent)
            results = [body.op("Tanh", gates)] if cell == "rnn" else _lstm(body, prefix, gates)
            if cell == "lstm":
                carried.append((start[1], f"{prefix}_c", width))
        last, (y,) = graph.scan(
            body, carried, inputs, results, [(results[0], width)], backward=backward
        )
        return last, y

    def _chunk(self, x: str) -> str:
        """Write a chunk with its right context; see ``Encoder._chunks``."""
        graph, chunk = self.graph, self.encoder.chunk_frames
        held = graph.op("Transpose", "held", perm=[1, 0, 2])
        window = graph.op("Concat", held, x, axis=0)
        y = graph.slice(self._layers(window, chunk), 0, chunk, 0)
        rest = graph.slice(window, chunk, None, 0)
        self.next["held"] = graph.op("Transpose", rest, perm=[1, 0, 2])
        return y

    def _look_ahead(self, x: str) -> str:
        graph, ahead = self.graph, self.encoder.lookahead
        x = graph.op("Concat", graph.op("Transpose", "held", perm=[1, 0, 2]), x, axis=0)
        rest = graph.slice(x, -ahead, None, 0)
        self.next["held"] = graph.op("Transpose", rest, perm=[1, 0, 2])
        total = ""
        for k in range(ahead + 1):
            part = graph.slice(x, k, None if k == ahead else k - ahead, 0)
            name = f"encoder.lookahead.{k}"
            weight = graph.constant(self.weights["encoder.lookahead"][k], name=name)
            weighted = graph.op("Mul", part, weight)
            total = graph.op("Add", total, weighted) if total else weighted
        return total

    def _linear(self, name: str, x: str | Quantised) -> str:
        weight, bias = f"{name}.weight", f"{name}.bias"
        seen = self.seen.get(name)
        return self.graph.linear(
            x,
            self.weights[weight].T,
            self.weights[bias],
            seen.span if seen else None,
            seen=seen,
            names=(weight, bias),
        )

    def _norm(self, name: str, x: str) -> str:
        gain, bias = (
            self.graph.constant(self.weights[parameter], name=parameter)
            for parameter in (f"{name}.weight", f"{name}.bias")
        )
        return self.graph.op("LayerNormalization", x, gain, bias, axis=-1, epsilon=1e-5)


def _gru(body: Graph, prefix: str, recurrent: str, width: int) -> str:
    h = f"{prefix}_h"
    both, new = body.ops("Split", recurrent, body.integers(2 * width, width), outputs=2, axis=-1)
    gates = body.op("Sigmoid", body.op("Add", f"{prefix}_rz", both))
    reset, update = body.ops("Split", gates, outputs=2, axis=-1, num_outputs=2)
    proposal = body.op("Tanh", body.op("Add", f"{prefix}_n", body.op("Mul", reset, new)))
    kept = body.op("Mul", update, body.op("Sub", h, proposal))
    return body.op("Add", proposal, kept)


def _lstm(body: Graph, prefix: str, gates: str) -> list[str]:
    admit, keep, candidate, show = body.ops("Split", gates, outputs=4, axis=-1, num_outputs=4)
    kept = body.op("Mul", body.op("Sigmoid", keep), f"{prefix}_c")
    new = body.op("Mul", body.op("Sigmoid", admit), body.op("Tanh", candidate))
    memory = body.op("Add", kept, new)
    return [body.op("Mul", body.op("Sigmoid", show), body.op("Tanh", memory)), memory]
