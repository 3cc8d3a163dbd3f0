"""The convolutional subsampler: two causal 3x3 convolutions over time and mel bins."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["FREQUENCY_KERNEL", "FREQUENCY_STRIDE", "ConvSubsampler"]

TIME_STRIDES = {2: (2, 1), 3: (3, 1), 4: (2, 2), 6: (3, 2), 8: (4, 2)}
"""Time strides of the two convolutions for each subsampling factor."""

FREQUENCY_KERNEL, FREQUENCY_STRIDE = 3, 2


class ConvSubsampler(nn.Module):
    """Two strided convolutions with ReLU, causal in time.

    Attributes:
        history: number of past feature frames that the first output depends on.
        bins: frequency bins before, between and after the convolutions.
        outputs: values per output frame, bins times channels.
    """

    def __init__(self, factor: int, mels: int, channels: int) -> None:
        super().__init__()
        first, second = TIME_STRIDES[factor]
        kernel = max(3, first)  # with a kernel of 3, a stride of 4 would skip every fourth frame
        self.bins = [mels]
        for _ in range(2):
            self.bins.append((self.bins[-1] - 1) // FREQUENCY_STRIDE + 1)
        self.history = kernel - first + (3 - second) * first
        self.outputs = self.bins[-1] * channels
        self.first = nn.Conv2d(1, channels, (kernel, 3), stride=(first, 2), padding=(0, 1))
        self.second = nn.Conv2d(channels, channels, 3, stride=(second, 2), padding=(0, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(batch, history + frames, mels)`` to ``(batch, frames / factor, outputs)``.

        The first convolution is a matrix product over unfolded patches, as the features need no
        gradient, and the second runs in channels-last memory format: on a CPU this takes half the
        time of two plain convolutions.
        """
        first, device = self.first, features.device.type
        if torch.is_autocast_enabled(device):
            features = features.to(torch.get_autocast_dtype(device))
        (kernel, width), (stride, hop) = first.kernel_size, first.stride
        patches = F.pad(features, (1, 1)).unfold(1, kernel, stride).unfold(2, width, hop)
        batch, frames, bins = patches.shape[:3]
        x = F.linear(patches.reshape(-1, kernel * width), first.weight.flatten(1), first.bias)
        x = torch.relu_(x).view(batch, frames, bins, -1).permute(0, 3, 1, 2)
        x = torch.relu_(self.second(x))  # (batch, channels, frames, bins)
        return x.permute(0, 2, 3, 1).reshape(batch, -1, self.outputs)
