"""Frame-wise phone targets as an auxiliary loss.

CTC has to discover the alignment of tokens, which takes up its first epochs. Where an aligner has
found the times of phones, a second head on a lower layer classifies the phone of each frame, which
supervises the layers below it from the first step (hierarchical multitask learning: Fernández et
al. 2007, Krishna et al. 2018). The head exists in training only; it is not exported.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr_gru.training.phone_times import IGNORE_INDEX, Ids

__all__ = ["PhoneHead", "pad_targets"]


class PhoneHead(nn.Module):
    """Classifies the phone of each frame from a hidden layer (``Encoder.encode``)."""

    def __init__(self, width: int, phones: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, phones)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits ``(batch, frames, phones)``."""
        logits: Tensor = self.linear(hidden).float()
        return logits

    def loss(self, hidden: Tensor, phones: Tensor) -> Tensor:
        """Return the mean cross-entropy in nats per frame.

        Args:
            hidden: ``(batch, frames, width)``.
            phones: ``(batch, frames)``, ``IGNORE_INDEX`` where no phone is known.
        """
        logits = self(hidden)
        known = (phones != IGNORE_INDEX).sum().clamp(min=1)
        loss = F.cross_entropy(
            logits.reshape(-1, logits.shape[-1]),
            phones.reshape(-1),
            ignore_index=IGNORE_INDEX,
            reduction="sum",
        )
        return loss / known


def pad_targets(rows: list[Ids | None], frames: Tensor) -> Tensor:
    """Pad rows to ``(batch, frames)`` with ``IGNORE_INDEX``; None is a row without phones."""
    padded = torch.full((len(rows), int(frames.max())), IGNORE_INDEX)
    for index, row in enumerate(rows):
        if row is not None:
            valid = row[: int(frames[index])]
            padded[index, : len(valid)] = torch.from_numpy(valid)
    return padded
