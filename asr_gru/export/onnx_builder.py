"""Writing ONNX graphs by hand: constants, nodes, and matrix products in float32 or int8."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

__all__ = ["Graph", "Range"]

Range = tuple[float, float]
"""Lowest and highest value that a product's input takes."""

LARGEST = 63
"""Of an int8 weight. An x86 without VNNI adds pairs of products in 16 bits, where 2 * 255 * 63
still fits, so that every processor finds the same sums."""

MICROSOFT = "com.microsoft"
OPSET, IR_VERSION = 18, 9


class Graph:
    """Nodes in order and constants by name; a body of a Scan shares its outer graph's constants."""

    def __init__(self, outer: Graph | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = outer.constants if outer else {}
        self._numbers: list[int] = outer._numbers if outer else [0]

    def _number(self) -> int:
        self._numbers[0] += 1
        return self._numbers[0]

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant; equal ones are stored once."""
        array = np.ascontiguousarray(value, dtype)
        if np.ndim(value) == 0:
            array = array.reshape(())
        key = (
            f"c_{array.dtype.name}_{array.shape}_{hashlib.sha256(array.tobytes()).hexdigest()[:16]}"
        )
        self.constants.setdefault(key, numpy_helper.from_array(array, key))
        return key

    def integers(self, *values: int) -> str:
        """Add a vector of int64, as shapes, axes and bounds want it."""
        return self.constant(values, np.int64)

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.ops(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs and return their names."""
        names = [f"{kind}_{self._number()}" for _ in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, names[0], domain=domain, **attributes)
        self.nodes.append(node)
        return names

    def rename(self, value: str, name: str) -> None:
        """Give a value a name of its own (an output of the graph)."""
        self.nodes.append(helper.make_node("Identity", [value], [name], f"name_{name}"))

    def slice(self, x: str, start: int, end: int | None, axis: int, step: int = 1) -> str:
        """Cut ``x[start:end:step]`` along ``axis``."""
        last = 2**31 - 1 if end is None else end
        bounds = [self.integers(value) for value in (start, last, axis, step)]
        return self.op("Slice", x, *bounds)

    def product(
        self,
        x: str,
        weight: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        span: Range | None,
    ) -> str:
        """Multiply by ``weight (inputs, outputs)`` and add ``bias``.

        With a ``span`` the product is taken in int8: weights symmetric with a scale per output,
        inputs as unsigned bytes with one fixed scale, so a row's result depends on nothing else.
        Weights use seven of the eight bits, see ``LARGEST``.
        """
        if span is None:
            return self.op("Add", self.op("MatMul", x, self.constant(weight)), self.constant(bias))
        low, high = min(span[0], 0.0), max(span[1], 1e-6)
        scale = np.float32((high - low) / 255)
        zero = self.constant(np.uint8(np.clip(round(-low / float(scale)), 0, 255)), np.uint8)
        scales = np.maximum(np.abs(weight).max(axis=0), 1e-8) / LARGEST
        whole = np.clip(np.rint(weight / scales), -LARGEST, LARGEST)
        x_scale = self.constant(scale)
        quantised = self.op("QuantizeLinear", x, x_scale, zero)
        return self.op(
            "MatMulIntegerToFloat",
            quantised,
            self.constant(whole, np.int8),
            x_scale,
            self.constant(scales),
            zero,
            self.constant(np.zeros(len(scales)), np.int8),
            self.constant(bias),
            domain=MICROSOFT,
        )

    def scan(
        self,
        body: Graph,
        states: list[tuple[str, str, int]],
        inputs: list[tuple[str, str, int]],
        results: list[str],
        output: tuple[str, int],
        *,
        backward: bool = False,
    ) -> tuple[list[str], str]:
        """Run ``body`` over the frames of ``inputs``.

        Args:
            body: the graph of one frame.
            states: start value, name within the body, width.
            inputs: values ``(frames, batch, width)``, name within the body, width.
            results: the body's values for the next states.
            output: the body's value for each frame, and its width.
            backward: from the last frame to the first.

        Returns:
            the last states, and the outputs ``(frames, batch, width)``.
        """
        state_names = [f"{name}_next" for _, name, _ in states]
        for value, name in zip(results, state_names, strict=True):
            body.rename(value, name)
        each = f"each_{self._number()}"
        body.rename(output[0], each)
        sides = [_value(name, ["batch", width]) for _, name, width in (*states, *inputs)]
        ends = [
            _value(name, ["batch", width])
            for name, (_, _, width) in zip(state_names, states, strict=True)
        ]
        graph = helper.make_graph(
            body.nodes, f"body_{self._number()}", sides, [*ends, _value(each, ["batch", output[1]])]
        )
        directions: dict[str, Any] = {}
        if backward:
            directions = {
                "scan_input_directions": [1] * len(inputs),
                "scan_output_directions": [1],
            }
        *last, every = self.ops(
            "Scan",
            *(value for value, _, _ in (*states, *inputs)),
            outputs=len(states) + 1,
            body=graph,
            num_scan_inputs=len(inputs),
            **directions,
        )
        return last, every

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
