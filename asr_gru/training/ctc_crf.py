"""CTC-CRF: the CTC loss against all sequences that an n-gram over tokens allows.

CTC takes the tokens of an utterance to be independent of each other, so the network has to learn
which phones follow which, though the language model of the search knows that as well. A CTC-CRF
(Xiang and Ou 2019) weights each path by the n-gram probability of its tokens and normalises over
all paths. With P(l) for a token sequence, y for the network's outputs and B(π) for the tokens of
a path::

    loss = -log Σ_{π: B(π) = l} Π_t y_t(π_t) P(l)  +  log Σ_π Π_t y_t(π_t) P(B(π))

The first term is the CTC loss and a constant. The second, the log-partition, is computed here with
a forward and a backward pass over the states of a trigram.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from asr_gru.errors import ConfigError
from asr_gru.language.token_trigram import BOUNDARY, MAX_TOKENS, TokenTrigram

__all__ = ["log_partition", "sequence_log_prob", "token_trigram", "trigram_probs"]


def token_trigram(sequences: Iterable[Sequence[int]], symbols: Sequence[str]) -> TokenTrigram:
    """Estimate the trigram of ``TokenTrigram.estimate`` for CTC-CRF.

    Args:
        sequences: token ids from 1 on.
        symbols: the tokens, the blank first.

    Raises:
        ConfigError: there are more tokens than ``MAX_TOKENS``.
    """
    if len(symbols) > MAX_TOKENS:
        raise ConfigError(
            f"ctc_crf_weight: at most {MAX_TOKENS} tokens, not {len(symbols)}; "
            'set data.tokens = "phones" or "characters", or ctc_crf_weight = 0'
        )
    return TokenTrigram.estimate(sequences, symbols)


def trigram_probs(trigram: TokenTrigram) -> Tensor:
    """Return the probabilities of a trigram, ``(tokens, tokens, tokens)``, as CTC-CRF takes them.

    They are those of the last index after the first two; ``BOUNDARY`` stands for the start as a
    history and for the end as a prediction.
    """
    return torch.from_numpy(trigram.log_probs).exp()


def sequence_log_prob(trigram: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return the log-probability of each target under a trigram, ``(batch,)``, in nats.

    Args:
        trigram: as ``trigram_probs`` returns it.
        targets: concatenated targets.
        target_lengths: tokens of each target, ``(batch,)``.
    """
    edge = targets.new_zeros(2)
    rows = torch.split(targets, target_lengths.tolist())
    total = []
    for row in rows:
        tokens = torch.cat([edge, row, edge[:1]])
        total.append(trigram[tokens[:-2], tokens[1:-1], tokens[2:]].log().sum())
    return torch.stack(total)


def log_partition(log_probs: Tensor, frames: Tensor, trigram: Tensor) -> Tensor:
    """Return the log-partition of each row, ``(batch,)``, in nats; differentiable.

    Args:
        log_probs: ``(batch, frames, tokens)``, blank first.
        frames: valid frames of each row, ``(batch,)``.
        trigram: as ``trigram_probs`` returns it.
    """
    function: Any = _LogPartition  # whose apply() has a type in some versions of torch only
    total: Tensor = function.apply(log_probs, frames, trigram)
    return total


class _LogPartition(torch.autograd.Function):
    """Forward and backward pass at once, as the gradient is wanted with every loss.

    A state is a history of two tokens and whether the last output was blank. Tensors of states are
    ``(last token, batch, token before)``, so that a step is one product for each last token.
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, frames: Tensor, trigram: Tensor) -> Tensor:
        total, occupancies = forward_backward(log_probs, frames, trigram)
        ctx.save_for_backward(occupancies)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (occupancies,) = ctx.saved_tensors
        return occupancies * grads[0][:, None, None], None, None


def forward_backward(log_probs: Tensor, frames: Tensor, trigram: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log-partition ``(batch,)`` and the posterior of each output of each frame."""
    B, T, V = log_probs.shape
    valid = torch.arange(T, device=log_probs.device) < frames[:, None]
    silence = log_probs.new_zeros(V)
    silence[1:] = -torch.inf  # padding is blank, which changes no total
    y = torch.where(valid[:, :, None], log_probs.detach(), silence).exp().transpose(0, 1)
    step = trigram.transpose(0, 1).contiguous()  # (last, before, next)
    back = step.transpose(1, 2).contiguous()
    again = torch.diagonal(trigram, dim1=1, dim2=2).t()[:, None, :]  # the last token once more
    after_blank = y.new_zeros(T + 1, V, B, V)
    after_token = y.new_zeros(T + 1, V, B, V)
    after_blank[0, BOUNDARY, :, BOUNDARY] = 1.0
    scale = y.new_ones(T, B)
    for t in range(T):
        blank, token = after_blank[t], after_token[t]
        both = blank + token
        moved = torch.bmm(both, step)
        torch.diagonal(moved, dim1=0, dim2=2).sub_((token * again).sum(dim=2).t())
        new_token = (moved.permute(2, 1, 0) + token) * y[t].t()[:, :, None]
        new_token[BOUNDARY] = 0.0
        new_blank = both * y[t, :, BOUNDARY][None, :, None]
        scale[t] = (new_token + new_blank).sum(dim=(0, 2))
        torch.div(new_token, scale[t][None, :, None], out=after_token[t + 1])
        torch.div(new_blank, scale[t][None, :, None], out=after_blank[t + 1])
    end = step[:, :, BOUNDARY][:, None, :]
    last = ((after_blank[T] + after_token[T]) * end).sum(dim=(0, 2))
    total = scale.log().sum(dim=0) + last.log()
    occupancies = torch.empty_like(y)
    from_blank = (end / last[None, :, None]).contiguous()
    from_token = from_blank
    for t in range(T - 1, -1, -1):
        seen = after_token[t + 1] * from_token
        occupancies[t] = seen.sum(dim=2).t()
        occupancies[t, :, BOUNDARY] = (after_blank[t + 1] * from_blank).sum(dim=(0, 2))
        by_token = from_token * (y[t] / scale[t][:, None]).t()[:, :, None]
        by_token[BOUNDARY] = 0.0
        blank = from_blank * (y[t, :, BOUNDARY] / scale[t])[None, :, None]
        arriving = by_token.permute(2, 1, 0)  # (last, batch, next)
        from_blank = blank + torch.bmm(arriving, back)
        from_token = (
            from_blank + by_token - again * torch.diagonal(arriving, dim1=0, dim2=2).t()[:, :, None]
        )
    return total, (occupancies.transpose(0, 1) * valid[:, :, None])
