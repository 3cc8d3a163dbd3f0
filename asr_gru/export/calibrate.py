"""Statistics of each product's input, for the fixed scales and the rounding of the int8 graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr_gru.errors import DataError
from asr_gru.export.rounding import InputStatistics
from asr_gru.nn.net import AcousticNet, pad_to_frames

__all__ = ["Calibration", "calibrate"]

Calibration = Mapping[str, InputStatistics]
"""By module, the statistics of its input; of ``encoder.conv.first`` and ``second``, those of the
patches in the order of ``weight_to_matrix``; of ``encoder.norms.*``, those of the output before the
affine part; of recurrent layers, those of their state."""


class _Gathered:
    """Sums over all frames of one product's input."""

    def __init__(self) -> None:
        self.frames = 0
        self.low: Any = np.inf
        self.high: Any = -np.inf
        self.sum: Any = 0.0
        self.products: Any = 0.0

    def add(self, x: Tensor) -> None:
        rows = x.detach().reshape(-1, x.shape[-1]).numpy().astype(np.float64)
        self.frames += len(rows)
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        self.sum = self.sum + rows.sum(axis=0)
        self.products = self.products + rows.T @ rows

    def statistics(self) -> InputStatistics:
        mean = self.sum / self.frames
        covariance = self.products / self.frames - np.outer(mean, mean)
        return InputStatistics(self.low, self.high, mean, covariance)


def calibrate(net: AcousticNet, recordings: Sequence[npt.NDArray[np.float32]]) -> Calibration:
    """Run ``net`` over recordings, a few minutes of training audio.

    Raises:
        DataError: there are none.
    """
    if not recordings:
        raise DataError("no recordings to calibrate on; give a few minutes of training audio")
    gathered: dict[str, _Gathered] = {}

    def observe(name: str, seen: Callable[[Any, Any, Any], Tensor]) -> Callable[..., None]:
        gathered[name] = _Gathered()

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            gathered[name].add(seen(module, inputs[0], output))

        return hook

    encoder = net.encoder
    observed: dict[str, Callable[[Any, Any, Any], Tensor]] = {
        "encoder.subsample": _input,
        "encoder.head": _input,
    }
    for index in range(net.config.encoder.layers):
        observed[f"encoder.norms.{index}"] = _normalised
        observed[f"encoder.forwards.{index}"] = _states
        if len(encoder.backwards):
            observed[f"encoder.backwards.{index}"] = _states
    if net.config.encoder.subsampler == "conv":
        observed["encoder.conv"] = _first_patches
        observed["encoder.conv.second"] = _second_patches
    handles = [
        net.get_submodule(name).register_forward_hook(observe(name, seen))
        for name, seen in observed.items()
    ]
    try:
        for samples in recordings:
            with torch.no_grad():
                net(pad_to_frames(torch.from_numpy(samples)[None], net.config))
    finally:
        for handle in handles:
            handle.remove()
    return {name: each.statistics() for name, each in gathered.items()}


def _input(_module: nn.Module, x: Tensor, _output: Any) -> Tensor:
    return x


def _normalised(_module: nn.Module, x: Tensor, _output: Any) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-5)


def _states(_module: nn.Module, _x: Any, output: tuple[Tensor, Any]) -> Tensor:
    return output[0]


def _first_patches(conv: Any, features: Tensor, _output: Any) -> Tensor:
    return _patches(conv.first, features[:, None])


def _second_patches(layer: Any, x: Tensor, _output: Any) -> Tensor:
    return _patches(layer, x)


def _patches(layer: Any, x: Tensor) -> Tensor:
    """Unfold ``(batch, channels, frames, bins)`` to ``(..., time * bins * channels)``."""
    (kernel, width), (stride, hop) = layer.kernel_size, layer.stride
    x = F.pad(x, (layer.padding[1], layer.padding[1]))
    x = x.unfold(2, kernel, stride).unfold(3, width, hop)
    return x.permute(0, 2, 3, 4, 5, 1).flatten(3)
