"""The acoustic model as one ONNX graph: samples and states in, log-probabilities and states out.

It does what ``AcousticNet.forward`` does, in the same order. Everything that is not a matrix
product is element-wise or within a row of at least sixteen values, which keeps results equal to
the bit for every length and batch. One ONNX Scan a layer lets any number of frames through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru.errors import ModelError
from asr_gru.export.onnx_builder import Graph, Range
from asr_gru.nn.frontend import SAMPLE_LIMIT
from asr_gru.nn.net import AcousticNet

__all__ = ["Ranges", "network_graph", "state_shapes"]

Array = npt.NDArray[np.float32]
HIDDEN: Range = (-128 / 127, 1.0)
"""States of all cells lie within -1 and 1."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """What the inputs of the products span, measured on training audio."""

    subsample: Range
    layers: tuple[Range, ...]
    head: Range


def state_shapes(net: AcousticNet) -> dict[str, tuple[int, ...]]:
    """Return name and shape (without the batch) of each array of state, in order."""
    encoder = net.config.encoder
    names = ["tail", "level", "age", "block"]
    for layer in range(encoder.layers):
        names += [f"layer{layer}"] + ([f"memory{layer}"] if encoder.cell == "lstm" else [])
    names += ["held"] if encoder.delay else []
    shapes = [tuple(array.shape[1:]) for array in net.start(1)]
    return dict(zip(names, shapes, strict=True))


def network_graph(net: AcousticNet, ranges: Ranges | None) -> bytes:
    """Return the ONNX file of ``net``: int8 with ``ranges``, float32 without."""
    if net.config.encoder.subsampler != "linear" or net.config.level.cmvn != "none":
        raise ModelError("export of convolutions and cmvn is not written yet; keep the checkpoint")
    return _Writer(net, ranges).write()


class _Writer:
    def __init__(self, net: AcousticNet, ranges: Ranges | None) -> None:
        self.net = net
        self.ranges = ranges
        self.graph = Graph()
        self.encoder = net.config.encoder
        self.weights = {name: value.numpy() for name, value in net.state_dict().items()}
        self.next: dict[str, str] = {}

    def write(self) -> bytes:
        graph, config = self.graph, self.net.config
        shapes = state_shapes(self.net)
        x = self._subsampled(self._features(self._mel()))
        x = self._chunk(x) if self.encoder.direction == "chunked" else self._layers(x, None)
        x = self._norm("encoder.norm", x)
        if self.encoder.lookahead:
            x = self._look_ahead(x)
        x = self._linear("encoder.head", x, self.ranges.head if self.ranges else None)
        x = graph.op("LogSoftmax", x, axis=-1)
        graph.rename(graph.op("Transpose", x, perm=[1, 0, 2]), "log_probs")
        for name, value in self.next.items():
            graph.rename(value, f"next_{name}")
        chunk: Any = "n"
        if self.encoder.direction == "chunked":
            chunk = self.encoder.chunk_frames * config.frame_samples
        states = [(name, ["batch", *shape]) for name, shape in shapes.items()]
        return graph.model(
            [("samples", ["batch", chunk]), *states],
            [
                ("log_probs", ["batch", "frames", self.net.tokens]),
                *((f"next_{name}", shape) for name, shape in states),
            ],
        )

    def _mel(self) -> str:
        """Frames of the window by slices of its common divisor with the hop, then two products."""
        graph, config = self.graph, self.net.config.frontend
        limits = [graph.constant(sign * SAMPLE_LIMIT) for sign in (-1.0, 1.0)]
        heard = graph.op("Concat", "tail", graph.op("Clip", "samples", *limits), axis=1)
        self.next["tail"] = graph.slice(heard, -(config.window - config.hop), None, 1)
        unit = math.gcd(config.window, config.hop)
        rows = graph.op("Reshape", heard, graph.integers(0, -1, unit))
        parts, step = config.window // unit, config.hop // unit
        pieces = [
            graph.slice(rows, i, None if i == parts - 1 else i + 1 - parts, 1, step)
            for i in range(parts)
        ]
        frames = graph.op("Concat", *pieces, axis=2)
        spectrum = graph.op("MatMul", frames, graph.constant(self.net.frontend.dft.numpy()))
        real, imaginary = graph.ops(
            "Split", graph.op("Mul", spectrum, spectrum), outputs=2, axis=-1, num_outputs=2
        )
        power = graph.op("Add", real, imaginary)
        return graph.op("MatMul", power, graph.constant(self.net.frontend.mel.numpy()))

    def _features(self, mel: str) -> str:
        """Return normalised features as ``(batch, blocks, block * mels)``."""
        graph, level = self.graph, self.net.level
        width = level.block * self.net.config.frontend.mels
        blocks = graph.op("Reshape", mel, graph.integers(0, -1, width))
        levels = self._level(blocks, width)
        exponent = graph.op("Sub", graph.constant(np.full(width, -level.prior)), levels)
        scaled = graph.op("Mul", blocks, graph.op("Exp", exponent))
        x = graph.op("Log", graph.op("Add", scaled, graph.constant(np.full(width, level.floor))))
        mean = np.tile(level.mean.numpy(), level.block)
        scale = np.tile(level.scale.numpy(), level.block)
        return graph.op("Mul", graph.op("Sub", x, graph.constant(mean)), graph.constant(scale))

    def _level(self, blocks: str, width: int) -> str:
        """Follow the level; its logarithm is taken sixteen times over, see the module's head."""
        graph, level = self.graph, self.net.level
        if not level.config.follow:
            for name in ("level", "age"):
                self.next[name] = name
            return graph.constant(np.zeros((1, 1, 1)))
        summing = graph.constant(np.full((width, 16), 1.0 / level.block))
        energy = graph.op("Add", graph.op("MatMul", blocks, summing), graph.constant([1e-10]))
        energy = graph.slice(graph.op("Log", energy), 0, 1, 2)
        target = graph.op("Max", energy, graph.constant([level.lowest]))
        target = graph.op("Sub", target, graph.constant([level.prior]))
        target = graph.op("Transpose", target, perm=[1, 0, 2])
        body = Graph(graph)
        one = graph.constant([1.0])
        older = body.op("Add", "b_age", graph.constant([level.prior_blocks]))
        falling = body.op("Max", body.op("Div", one, older), graph.constant([level.decay]))
        rising = body.op("Max", falling, graph.constant([level.attack]))
        above = body.op("Greater", "b_now", "b_level")
        rate = body.op("Where", above, rising, falling)
        step = body.op("Mul", rate, body.op("Sub", "b_now", "b_level"))
        following = body.op("Add", "b_level", step)
        results = [following, body.op("Add", "b_age", one)]
        last, levels = graph.scan(
            body,
            [("level", "b_level", 1), ("age", "b_age", 1)],
            [(target, "b_now", 1)],
            results,
            (following, 1),
        )
        self.next["level"], self.next["age"] = last
        return graph.op("Transpose", levels, perm=[1, 0, 2])

    def _subsampled(self, blocks: str) -> str:
        graph, factor = self.graph, self.encoder.subsampling
        mels = self.net.config.frontend.mels
        before = graph.op("Reshape", "block", graph.integers(0, 1, factor * mels))
        x = graph.op("Concat", before, blocks, axis=1)
        last = graph.slice(x, -1, None, 1)
        self.next["block"] = graph.op("Reshape", last, graph.integers(0, factor, mels))
        x = graph.op("Concat", graph.slice(x, 0, -1, 1), graph.slice(x, 1, None, 1), axis=2)
        x = graph.op("Transpose", x, perm=[1, 0, 2])
        x = self._linear("encoder.subsample", x, self.ranges.subsample if self.ranges else None)
        return graph.op("Relu", self._norm("encoder.subsample_norm", x))

    def _layers(self, x: str, keep: int | None) -> str:
        """All layers; with ``keep`` the states handed on are those after that many frames."""
        graph = self.graph
        for index in range(self.encoder.layers):
            width = self.encoder.width
            plain = [graph.constant(np.ones(width)), graph.constant(np.zeros(width))]
            normed = graph.op("LayerNormalization", x, *plain, axis=-1, epsilon=1e-5)
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
        """One layer: the layer norm's affine part is folded into the input product."""
        graph, width, cell = self.graph, self.encoder.width, self.encoder.cell
        tag = f"encoder.{side}.{index}.rnn"
        w_in, w_h, b_in, b_h = (
            self.weights[f"{tag}.{name}_l0"]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        b_in = b_in + w_in @ self.weights[f"encoder.norms.{index}.bias"]
        w_in = w_in * self.weights[f"encoder.norms.{index}.weight"]
        within = b_h.copy()  # what has to stay inside the recurrence: the new gate's bias
        within[: 2 * width if cell == "gru" else None] = 0.0
        span = self.ranges.layers[index] if self.ranges else None
        from_input = graph.product(x, w_in.T, b_in + b_h - within, span)
        body = Graph(graph)
        prefix = f"b{graph._number()}"
        recurrent = body.product(f"{prefix}_h", w_h.T, within, HIDDEN if self.ranges else None)
        states = [(start[0], f"{prefix}_h", width)]
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
                states.append((start[1], f"{prefix}_c", width))
        return graph.scan(body, states, inputs, results, (results[0], width), backward=backward)

    def _chunk(self, x: str) -> str:
        """A chunk with its right context, as ``Encoder._chunks`` does it."""
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
            weight = graph.constant(self.weights["encoder.lookahead"][k])
            weighted = graph.op("Mul", part, weight)
            total = graph.op("Add", total, weighted) if total else weighted
        return total

    def _linear(self, name: str, x: str, span: Range | None) -> str:
        weight = self.weights[f"{name}.weight"]
        return self.graph.product(x, weight.T, self.weights[f"{name}.bias"], span)

    def _norm(self, name: str, x: str) -> str:
        gain, bias = (self.graph.constant(self.weights[f"{name}.{p}"]) for p in ("weight", "bias"))
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
