"""The same network with inputs of products that bytes with one scale can hold.

One scale serves all inputs of a product, so a unit that lies far from the others, or varies more
than they do, leaves them few steps. Units are therefore shifted to the middle of their range and
divided by the square root of its size where this costs nothing: in the affine part of a layer norm,
in the weights of the look-ahead, and in the layer before a ReLU. The weights behind are multiplied
by the same, and so the work is shared between them (Nagel et al. 2019; Xiao et al. 2023).
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asr_gru.export.calibrate import Calibration
from asr_gru.nn.net import AcousticNet

__all__ = ["equalise"]

Doubles = npt.NDArray[np.float64]


@torch.no_grad()
def equalise(net: AcousticNet, seen: Calibration) -> tuple[AcousticNet, Calibration]:
    """Return a network of the same function, and the statistics of its products' inputs."""
    net, after = copy.deepcopy(net), dict(seen)
    encoder: Any = net.encoder
    for index, norm in enumerate(encoder.norms):
        name = f"encoder.norms.{index}"
        gain = _gain(seen[name].high - seen[name].low)
        shift = -gain * (seen[name].high + seen[name].low) / 2
        after[name] = seen[name].scaled(gain, shift)
        for side in (encoder.forwards, encoder.backwards):
            if len(side):
                _behind_norm(side[index].rnn, norm, gain, shift)
        norm.weight.copy_(torch.from_numpy(gain))
        norm.bias.copy_(torch.from_numpy(shift))
    after["encoder.head"] = _head(encoder, seen)
    if net.config.encoder.subsampler == "conv":
        _convolutions(encoder, seen, after)
    return net, after


def _gain(size: Doubles) -> Doubles:
    """Return factors whose geometric mean is one; units that hardly vary count as larger."""
    size = np.maximum(size, 0.01 * max(float(size.max()), 1e-6))
    gain = 1.0 / np.sqrt(size)
    return np.asarray(gain / np.exp(np.log(gain).mean()), np.float32).astype(np.float64)


def _behind_norm(rnn: Any, norm: Any, gain: Doubles, shift: Doubles) -> None:
    weight = rnn.weight_ih_l0.double()
    before = weight * norm.weight.double()
    weight_after = before / torch.from_numpy(gain)
    bias = rnn.bias_ih_l0.double() + weight @ norm.bias.double()
    rnn.bias_ih_l0.copy_(bias - weight_after @ torch.from_numpy(shift))
    rnn.weight_ih_l0.copy_(weight_after)


def _head(encoder: Any, seen: Calibration) -> Any:
    at = seen["encoder.head"]
    gain = _gain(np.maximum(np.abs(at.low), np.abs(at.high)))
    factor = torch.from_numpy(gain).float()
    if encoder.config.lookahead:
        encoder.lookahead.mul_(factor)
    else:
        encoder.norm.weight.mul_(factor)
        encoder.norm.bias.mul_(factor)
    encoder.head.weight.div_(factor)
    return at.scaled(gain)


def _convolutions(encoder: Any, seen: Calibration, after: dict[str, Any]) -> None:
    """Scale channels, as all bins of a channel share its weights."""
    conv, channels = encoder.conv, encoder.conv.first.out_channels
    for layer, name, follower in (
        (conv.first, "encoder.conv.second", conv.second),
        (conv.second, "encoder.subsample", encoder.subsample),
    ):
        at = seen[name]
        gain = _gain(at.high.reshape(-1, channels).max(axis=0))
        factor = torch.from_numpy(gain).float()
        layer.weight.mul_(factor[:, None, None, None])
        layer.bias.mul_(factor)
        weight: Tensor = follower.weight
        if weight.ndim == 4:
            weight.div_(factor[None, :, None, None])
        else:
            weight.div_(factor.repeat(weight.shape[1] // channels))
        after[name] = at.scaled(np.tile(gain, len(at.high) // channels))
