"""The range of each product's input, for the fixed scales of the int8 graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr_gru.export.onnx_builder import Range
from asr_gru.nn.net import AcousticNet, pad_to_frames

__all__ = ["Ranges", "measure_ranges"]

Ranges = Mapping[str, Range]
"""By module: the range of its input; for ``encoder.norms.*`` that of its output before the affine
part, which the export folds into the product of the layer behind it."""


def measure_ranges(net: AcousticNet, recordings: Sequence[npt.NDArray[np.float32]]) -> Ranges:
    """Run ``net`` over recordings (a few minutes of training audio) and keep minima and maxima."""
    ranges: dict[str, Range] = {}

    def observe(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0]
            if name.startswith("encoder.norms."):
                x = F.layer_norm(x, x.shape[-1:], eps=1e-5)
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (min(low, float(x.min())), max(high, float(x.max())))

        return hook

    observed = ["encoder.subsample", "encoder.head"]
    observed += [f"encoder.norms.{index}" for index in range(net.config.encoder.layers)]
    if net.config.encoder.subsampler == "conv":
        observed += ["encoder.conv", "encoder.conv.second"]
    handles = [
        net.get_submodule(name).register_forward_pre_hook(observe(name)) for name in observed
    ]
    try:
        for samples in recordings:
            with torch.no_grad():
                net(pad_to_frames(torch.from_numpy(samples)[None], net.config))
    finally:
        for handle in handles:
            handle.remove()
    return ranges
