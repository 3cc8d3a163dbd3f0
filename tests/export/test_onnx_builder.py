"""Int8 products on the processor that runs the tests."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime import InferenceSession

from asr_gru.export.onnx_builder import Graph

WIDTH = 64


@pytest.mark.parametrize("rows", [1, 4, 32])
def test_an_int8_product_is_correct_at_its_limits(rows):
    graph = Graph()
    weight = np.ones((WIDTH, 8), np.float32)
    graph.name_output(graph.linear("x", weight, np.zeros(8, np.float32), (0.0, 1.0)), "y")
    model = graph.model([("x", ["rows", WIDTH])], [("y", ["rows", 8])])
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"x": np.ones((rows, WIDTH), np.float32)})
    np.testing.assert_allclose(sums, WIDTH, rtol=1e-5)
