"""Writing ONNX graphs by hand: constants, nodes, and matrix products in float32 or int8."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from asr_gru.export.rounding import InputStatistics, round_weight

__all__ = ["SCALE", "Graph", "Quantised", "Range"]

Range = tuple[float, float]
"""Lowest and highest value of a product's input."""

SCALE = "_scale"
"""Suffix of the initialiser that holds the scales of an int8 weight."""

MICROSOFT = "com.microsoft"
OPSET, IR_VERSION = 18, 9


class Quantised(NamedTuple):
    """Names of a value in unsigned bytes, of its scale, and of its zero point."""

    value: str
    scale: str
    zero: str


class Graph:
    """Nodes in order and initialisers by name; the body of a Scan shares its outer graph's."""

    def __init__(self, outer: Graph | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = outer.constants if outer else {}
        self._numbers: list[int] = outer._numbers if outer else [0]

    def number(self) -> int:
        """Return a number for names that must be unique in the graph and its bodies."""
        self._numbers[0] += 1
        return self._numbers[0]

    def constant(
        self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32, name: str = ""
    ) -> str:
        """Add an initialiser; those without a ``name`` are stored once per value.

        Raises:
            ValueError: ``name`` already holds another value.
        """
        array = np.ascontiguousarray(value, dtype)
        if np.ndim(value) == 0:
            array = array.reshape(())
        digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
        key = name or f"c_{array.dtype.name}_{array.shape}_{digest}"
        tensor = numpy_helper.from_array(array, key)
        if self.constants.setdefault(key, tensor) != tensor:
            raise ValueError(f"initialiser {key}: two values of one name")
        return key

    def integers(self, *values: int) -> str:
        """Add a vector of int64, the type of shapes, axes and bounds."""
        return self.constant(values, np.int64)

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.ops(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs and return their names."""
        names = [f"{kind}_{self.number()}" for _ in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, names[0], domain=domain, **attributes)
        self.nodes.append(node)
        return names

    def name_output(self, value: str, name: str) -> None:
        """Give a value the name of an output of the graph."""
        self.nodes.append(helper.make_node("Identity", [value], [name], f"name_{name}"))

    def slice(self, x: str, start: int, end: int | None, axis: int, step: int = 1) -> str:
        """Cut ``x[start:end:step]`` along ``axis``."""
        last = 2**31 - 1 if end is None else end
        bounds = [self.integers(value) for value in (start, last, axis, step)]
        return self.op("Slice", x, *bounds)

    def quantise(self, x: str, span: Range) -> Quantised:
        """Turn ``x`` into unsigned bytes with one fixed scale; values outside ``span`` saturate."""
        low, high = min(span[0], 0.0), max(span[1], 1e-6)
        step = np.float32((high - low) / 255)
        zero = self.constant(np.uint8(np.clip(round(-low / float(step)), 0, 255)), np.uint8)
        scale = self.constant(step)
        return Quantised(self.op("QuantizeLinear", x, scale, zero), scale, zero)

    def linear(
        self,
        x: str | Quantised,
        weight: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        span: Range | None = None,
        *,
        seen: InputStatistics | None = None,
        names: tuple[str, str] = ("", ""),
    ) -> str:
        """Multiply by ``weight (inputs, outputs)`` and add ``bias``.

        Given a ``span``, or an input that is quantised, the product is taken in int8: weights are
        symmetric with a scale per output, the input has one fixed scale, so each row of the result
        depends on its own row of the input alone.

        Args:
            x: float32, or quantised.
            weight: the matrix.
            bias: one value per output.
            span: range of ``x`` to quantise it with; None for float32.
            seen: statistics of ``x``, for the rounding of the weights.
            names: names of the parameters, which become those of the initialisers.
        """
        if isinstance(x, str) and span is not None:
            x = self.quantise(x, span)
        if isinstance(x, str):
            product = self.op("MatMul", x, self.constant(weight, name=names[0]))
            return self.op("Add", product, self.constant(bias, name=names[1]))
        rounded = round_weight(weight, seen)
        return self.op(
            "MatMulIntegerToFloat",
            x.value,
            self.constant(rounded.whole, np.int8, names[0]),
            x.scale,
            self.constant(rounded.scales, name=names[0] and names[0] + SCALE),
            x.zero,
            self.constant(np.zeros(len(rounded.scales)), np.int8),
            self.constant(bias + rounded.bias, name=names[1]),
            domain=MICROSOFT,
        )

    def scan(
        self,
        body: Graph,
        states: Sequence[tuple[str, str, int]],
        inputs: Sequence[tuple[str, str, int]],
        results: Sequence[str],
        outputs: Sequence[tuple[str, int]],
        *,
        backward: bool = False,
    ) -> tuple[list[str], list[str]]:
        """Run ``body`` over the frames of ``inputs``.

        Args:
            body: the graph of one frame.
            states: start value, name within the body, width.
            inputs: values ``(frames, batch, width)``, name within the body, width.
            results: the body's values for the next states.
            outputs: the body's values to collect over frames, and their widths.
            backward: from the last frame to the first.

        Returns:
            the last states, and the outputs ``(frames, batch, width)``.
        """
        scan = self.number()
        ends = []
        for (value, width), name in zip(
            [
                *((value, width) for value, (_, _, width) in zip(results, states, strict=True)),
                *outputs,
            ],
            [
                *(f"{name}_next" for _, name, _ in states),
                *(f"each_{k}" for k in range(len(outputs))),
            ],
            strict=True,
        ):
            body.name_output(value, f"{name}_{scan}")
            ends.append(_value(f"{name}_{scan}", ["batch", width]))
        graph = helper.make_graph(
            body.nodes,
            f"body_{scan}",
            [_value(name, ["batch", width]) for _, name, width in (*states, *inputs)],
            ends,
        )
        directions: dict[str, Any] = {}
        if backward:
            directions = {
                "scan_input_directions": [1] * len(inputs),
                "scan_output_directions": [1] * len(outputs),
            }
        values = self.ops(
            "Scan",
            *(value for value, _, _ in (*states, *inputs)),
            outputs=len(ends),
            body=graph,
            num_scan_inputs=len(inputs),
            **directions,
        )
        return values[: len(states)], values[len(states) :]

    def model(
        self, inputs: list[tuple[str, list[Any]]], outputs: list[tuple[str, list[Any]]]
    ) -> bytes:
        """Return the checked graph as the bytes of an ONNX file."""
        graph = helper.make_graph(
            self.nodes,
            "asr_gru",
            [_value(name, shape) for name, shape in inputs],
            [_value(name, shape) for name, shape in outputs],
            list(self.constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="asr_gru"
        )
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString()
        return data


def _value(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
