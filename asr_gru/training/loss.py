"""The training loss: CTC or CTC-CRF, optionally with consistency regularisation (CR-CTC)."""

from __future__ import annotations

import torch
from torch import Tensor

from asr_gru.nn.ctc import ctc_loss
from asr_gru.training.ctc_crf import log_partition, sequence_log_prob

__all__ = ["consistency_loss", "training_loss", "utterance_losses"]


def training_loss(
    log_probs: Tensor,
    targets: Tensor,
    frames: Tensor,
    target_lengths: Tensor,
    cr_ctc_weight: float,
    ctc_crf_weight: float = 0.0,
    trigram: Tensor | None = None,
) -> Tensor:
    """Return the loss of a batch in nats per token.

    Args:
        log_probs: ``(batch, frames, tokens)``; with ``cr_ctc_weight`` the second half of the batch
            is another view of the first half.
        targets: concatenated targets of the first half.
        frames: valid frames of each row of the first half.
        target_lengths: tokens of each target of the first half.
        cr_ctc_weight: weight of the consistency loss; 0 for a single view.
        ctc_crf_weight: weight of the log-partition, from 0 for CTC to 1 for CTC-CRF.
        trigram: trigram over tokens, ``(tokens, tokens, tokens)``; needed for the log-partition.
    """
    tokens = target_lengths.sum().clamp(min=1)
    both = utterance_losses(log_probs, targets, frames, target_lengths, ctc_crf_weight, trigram)
    if not cr_ctc_weight:
        return both.sum() / tokens
    first, second = log_probs.chunk(2)
    consistency = consistency_loss(first, second, frames)
    return (both.sum() / 2 + cr_ctc_weight * consistency) / tokens


def utterance_losses(
    log_probs: Tensor,
    targets: Tensor,
    frames: Tensor,
    target_lengths: Tensor,
    ctc_crf_weight: float = 0.0,
    trigram: Tensor | None = None,
) -> Tensor:
    """Return the CTC or CTC-CRF loss of each utterance in nats, ``(rows of log_probs,)``.

    Args:
        log_probs: ``(rows, frames, tokens)``: one view of the batch, or several after each other.
        targets: as for ``training_loss``, and so are the others.
        frames: valid frames of each utterance.
        target_lengths: tokens of each target.
        ctc_crf_weight: weight of the log-partition.
        trigram: trigram over tokens; needed for the log-partition.
    """
    views = len(log_probs) // len(frames)
    losses = ctc_loss(
        log_probs, targets.repeat(views), frames.repeat(views), target_lengths.repeat(views)
    )
    if ctc_crf_weight:
        assert trigram is not None
        partition = log_partition(log_probs, frames.repeat(views), trigram)
        prior = sequence_log_prob(trigram, targets, target_lengths).repeat(views)
        losses = losses + ctc_crf_weight * (partition - prior)
    return losses


def consistency_loss(first: Tensor, second: Tensor, frames: Tensor) -> Tensor:
    """Return the symmetric KL divergence of two views, summed over valid frames (Yao et al. 2024).

    Each view is a fixed target of the other: KL(stop(b) || a) / 2 + KL(stop(a) || b) / 2.
    """
    valid = torch.arange(first.shape[1], device=first.device) < frames[:, None]
    divergence = first.new_zeros(())
    for student, teacher in ((first, second.detach()), (second, first.detach())):
        pointwise = (teacher.exp() * (teacher - student)).sum(dim=-1)
        divergence = divergence + 0.5 * (pointwise * valid).sum()
    return divergence
