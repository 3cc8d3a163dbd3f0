"""Initial states as later segments of a stream have them: those that other speech left behind.

A stream keeps the state of the network over the end of a segment, while an utterance of a batch
begins at zero, and a network that has only seen the latter makes more errors in the former. This is
the random state passing of Narayanan et al. 2019, "Recognizing long-form speech using streaming
end-to-end models", with a state from the same batch, so that a step depends on nothing before it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from asr_gru.nn.net import AcousticNet
from asr_gru.nn.recurrent import State

__all__ = ["CARRIED_S", "carried_state"]

CARRIED_S = 4.0
"""Seconds of speech that come before; the running statistics look back about as far."""


@torch.no_grad()
def carried_state(
    net: AcousticNet, samples: Tensor, frames: Tensor, prob: float, random: np.random.Generator
) -> State:
    """Return initial states for a batch: each row's zero, or left by the end of another row.

    The speech before a row is the last ``CARRIED_S`` of the row before it, with the silence of the
    delay behind it, after which all of its tokens have been emitted, or all of a shorter row and
    the silence that it is padded with. The last row is before the first.

    Args:
        net: the network; it is in training mode afterwards.
        samples: ``(batch, n)``, n a multiple of ``net.config.frame_samples``.
        frames: ``(batch,)`` output frames of each row, the delay included.
        prob: probability that the state of a row is not zero.
        random: source of the choice.
    """
    rows, length = samples.shape
    config = net.config
    size = config.frame_samples
    count = round(CARRIED_S * config.frontend.sample_rate / size) * size
    ends = frames.to(samples.device) * size
    first = (ends - count).clamp(min=0)
    place = first[:, None] + torch.arange(min(count, length), device=samples.device)
    before = samples.gather(1, place.clamp(max=length - 1)).roll(1, 0)
    net.eval()
    _, state = net(before)
    net.train()
    carried = torch.from_numpy(random.random(rows) < prob).to(samples.device)
    return tuple(
        torch.where(carried.view(-1, *(1,) * (array.ndim - 1)), array, 0.0) for array in state
    )
