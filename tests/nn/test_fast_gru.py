from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from asr_gru.nn import fast_gru as module
from asr_gru.nn.fast_gru import bf16_available, fast_gru
from asr_gru.nn.gru_loops import compiled_loops
from asr_gru.nn.python_loops import BLOCK

BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 0.02}
"""Maximum difference from torch, relative to the norm."""


@pytest.fixture(params=list(BOUNDS), ids=["float32", "bfloat16"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    if request.param == torch.bfloat16 and not bf16_available():
        pytest.skip("torch without packed products")
    return request.param


@pytest.fixture(params=["compiled", "python"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(module, "compiled_loops", lambda: None)
    elif compiled_loops() is None:
        pytest.skip("no C++ compiler")
    return request.param


def gradients(
    frames: int, batch: int, inputs: int, width: int, dtype: torch.dtype | None
) -> list[Tensor]:
    torch.manual_seed(1)
    layer = nn.GRU(inputs, width)
    weights = [p for _, p in layer.named_parameters()]  # weight_ih, weight_hh, bias_ih, bias_hh
    nn.init.orthogonal_(weights[1])
    x = torch.randn(frames, batch, inputs, requires_grad=True)
    start = (0.5 * torch.randn(batch, width)).requires_grad_()
    towards = torch.randn(frames, batch, width)
    w_in, w_h, b_in, b_h = weights
    y = (
        layer(x, start[None])[0]
        if dtype is None
        else fast_gru(x, w_in, w_h, b_in, b_h, start, dtype)
    )
    (y * towards).sum().backward()
    grads = [leaf.grad for leaf in (x, start, *weights)]
    return [y.detach(), *(grad for grad in grads if grad is not None)]


@pytest.mark.parametrize(
    ("frames", "batch", "inputs", "width"),
    [(1, 2, 8, 16), (BLOCK, 3, 32, 32), (BLOCK + 5, 4, 24, 48), (50, 1, 64, 64)],
)
def test_outputs_and_gradients_are_close_to_torch(
    frames: int, batch: int, inputs: int, width: int, dtype: torch.dtype, loops: str
):
    expected = gradients(frames, batch, inputs, width, dtype=None)
    found = gradients(frames, batch, inputs, width, dtype=dtype)
    names = ["output", "x", "start", "w_in", "w_h", "b_in", "b_h"]
    for name, a, b in zip(names, expected, found, strict=True):
        assert b.dtype == torch.float32
        assert (a - b).norm() < BOUNDS[dtype] * a.norm(), name


def test_results_are_bit_identical_across_runs(dtype: torch.dtype, loops: str):
    first = gradients(20, 3, 16, 16, dtype=dtype)
    second = gradients(20, 3, 16, 16, dtype=dtype)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_saturated_gates_agree_with_torch(loops: str):
    layer = nn.GRU(4, 4)
    nn.init.zeros_(layer.get_parameter("bias_ih_l0"))
    x = torch.tensor([0.0, 1.0, -1.0, 8.0, -8.0, 90.0, -90.0, 1e6, -1e6])[:, None, None]
    x = x.expand(9, 2, 4).contiguous()
    w_in, w_h, b_in, b_h = [p for _, p in layer.named_parameters()]
    found = fast_gru(x, w_in, w_h, b_in, b_h, torch.zeros(2, 4), torch.float32)
    torch.testing.assert_close(found, layer(x)[0], rtol=1e-5, atol=1e-5)


def test_non_finite_inputs_stay_non_finite(dtype: torch.dtype, loops: str):
    layer = nn.GRU(4, 4)
    w_in, w_h, b_in, b_h = [p for _, p in layer.named_parameters()]
    x = torch.zeros(3, 2, 4)
    x[1, 0] = torch.nan
    y = fast_gru(x, w_in, w_h, b_in, b_h, torch.zeros(2, 4), dtype)
    assert torch.isnan(y[1:, 0]).all()
    assert torch.isfinite(y[0]).all()
    assert torch.isfinite(y[:, 1]).all()


def test_without_a_compiler_python_runs_the_loops(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiled_loops.cache_clear()
    try:
        assert compiled_loops() is None
        found = gradients(5, 2, 8, 8, dtype=torch.float32)
    finally:
        compiled_loops.cache_clear()
    expected = gradients(5, 2, 8, 8, dtype=None)
    assert (expected[0] - found[0]).norm() < 1e-5 * expected[0].norm()


def test_the_kernel_is_compiled_once_for_all_processes(monkeypatch: pytest.MonkeyPatch):
    if compiled_loops() is None:
        pytest.skip("no C++ compiler")
    monkeypatch.setenv("CXX", "no-such-compiler")  # a cached kernel needs no compiler
    compiled_loops.cache_clear()
    assert compiled_loops() is not None
