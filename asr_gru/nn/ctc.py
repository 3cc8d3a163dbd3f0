"""Connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

__all__ = ["ctc_loss"]

BLANK = 0


def ctc_loss(log_probs: Tensor, targets: Tensor, frames: Tensor, target_lengths: Tensor) -> Tensor:
    """Return the negative log-probability of each target, ``(batch,)``, in nats.

    Args:
        log_probs: ``(batch, frames, vocab_size)``.
        targets: concatenated targets, ``(sum of target_lengths,)``.
        frames: valid frames of each row, ``(batch,)``.
        target_lengths: tokens of each target, ``(batch,)``; 0 for an utterance without speech.

    Each target must fit its frames (``frames_needed``); ``TrainingSet`` leaves out others.
    """
    return F.ctc_loss(
        log_probs.transpose(0, 1), targets, frames, target_lengths, blank=BLANK, reduction="none"
    )
