"""What the inputs of the products span, for the fixed scales of the int8 graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr_gru.export.acoustic_graph import Ranges
from asr_gru.export.onnx_builder import Range
from asr_gru.nn.net import AcousticNet, pad_to_frames

__all__ = ["measure_ranges"]


def measure_ranges(net: AcousticNet, recordings: Sequence[npt.NDArray[np.float32]]) -> Ranges:
    """Run ``net`` over recordings (a few minutes of training audio) and keep lows and highs.

    Layers are measured behind the bare layer norm: its affine part belongs to the product.
    """
    seen: dict[str, tuple[float, float]] = {}

    def note(name: str, x: Tensor) -> None:
        low, high = seen.get(name, (0.0, 0.0))
        seen[name] = (min(low, float(x.min())), max(high, float(x.max())))

    def watch(name: str, bare: bool) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, inputs: Any) -> None:
            x = inputs[0]
            note(name, F.layer_norm(x, x.shape[-1:], eps=1e-5) if bare else x)

        return hook

    encoder = net.encoder
    watched: list[tuple[nn.Module, str, bool]] = [
        (encoder.subsample, "subsample", False),
        (encoder.head, "head", False),
        *((norm, f"layer{i}", True) for i, norm in enumerate(encoder.norms)),
    ]
    handles = [
        module.register_forward_pre_hook(watch(name, bare)) for module, name, bare in watched
    ]
    try:
        for samples in recordings:
            with torch.no_grad():
                net(pad_to_frames(torch.from_numpy(samples)[None], net.config))
    finally:
        for handle in handles:
            handle.remove()
    layers: tuple[Range, ...] = tuple(seen[f"layer{i}"] for i in range(len(encoder.norms)))
    return Ranges(seen["subsample"], layers, seen["head"])
