"""How far back in time the gradient reaches: vanishing and exploding gradients, measured.

Backpropagation through time multiplies one Jacobian per frame (Bengio et al. 1994, Pascanu et al.
2013). Here the gradient of a random combination of the last frame's outputs is followed back to
the inputs of every earlier frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asr_gru.nn.net import AcousticNet
from asr_gru.training.audio_cache import Corpus

__all__ = [
    "VISIBLE",
    "features_of",
    "gradient_norms",
    "horizon",
    "net_reach",
    "scale_recurrence",
    "string_together",
]

Array = npt.NDArray[np.float64]
VISIBLE = 0.01
"""Share of the largest gradient norm that still counts as reaching an input."""


def gradient_norms(run: Callable[[Tensor], Tensor], x: Tensor, frames: int, draws: int) -> Array:
    """Return norms of the gradient of the last output with respect to earlier inputs.

    Args:
        run: maps inputs ``(frames, batch, n)`` to outputs ``(frames, batch, m)``.
        x: inputs, more than ``frames`` of them.
        frames: how many frames to go back.
        draws: random directions of the output, each of length 1.

    Returns:
        ``(draws * batch, frames + 1)``; column ``k`` belongs to the input ``k`` frames before the
        last output.
    """
    generator = torch.Generator().manual_seed(0)
    rows = []
    for _ in range(draws):
        inputs = x.detach().requires_grad_()
        last = run(inputs)[-1]
        direction = torch.randn(last.shape, generator=generator, dtype=x.dtype)
        direction = direction / direction.norm(dim=-1, keepdim=True)
        (gradient,) = torch.autograd.grad((last * direction).sum(), inputs)
        rows.append(gradient.double().norm(dim=-1).flip(0)[: frames + 1].T)
    return np.asarray(torch.cat(rows).numpy(), np.float64)


def string_together(corpus: Corpus, samples: int, count: int) -> list[npt.NDArray[np.float32]]:
    """Return ``count`` strings of recordings, each of ``samples`` samples."""
    strings = []
    index = 0
    for _ in range(count):
        parts: list[npt.NDArray[np.float32]] = []
        while sum(map(len, parts)) < samples:
            parts.append(corpus.samples(index % len(corpus)))
            index += 1
        strings.append(np.concatenate(parts)[:samples])
    return strings


def features_of(net: AcousticNet, recordings: Sequence[npt.NDArray[np.float32]]) -> Tensor:
    """Return normalised features ``(batch, frames, mels)`` of recordings cut to the shortest."""
    frame = net.config.frame_samples
    samples = min(len(recording) for recording in recordings) // frame * frame
    with torch.no_grad():
        whole = np.stack([recording[:samples] for recording in recordings])
        return net.features(torch.from_numpy(whole))[0]


def net_reach(net: AcousticNet, features: Tensor, frames: int, draws: int = 4) -> Array:
    """Return the median gradient norm that reaches back ``0`` to ``frames`` output frames.

    It is taken from the normalised output of the last layer to the log-mel features.

    Args:
        net: a network.
        features: from ``features_of``.
        frames: output frames to go back.
        draws: see ``gradient_norms``.
    """
    net = net.eval()
    factor = net.config.encoder.subsampling
    batch, mel_frames, mels = features.shape
    blocks = features.reshape(batch, mel_frames // factor, factor * mels).transpose(0, 1)

    def run(x: Tensor) -> Tensor:
        whole = x.transpose(0, 1).reshape(batch, mel_frames, mels)
        state = net.encoder.start(batch)
        hidden = net.encoder.encode(whole, state, tap=net.config.encoder.layers).hidden
        assert hidden is not None
        return hidden.transpose(0, 1)

    return np.asarray(np.median(gradient_norms(run, blocks, frames, draws), axis=0))


def horizon(norms: Array) -> int:
    """Return the largest number of frames at which ``VISIBLE`` of the largest norm arrives."""
    return int(np.flatnonzero(norms >= VISIBLE * norms.max())[-1])


@torch.no_grad()
def scale_recurrence(net: AcousticNet, factor: float) -> AcousticNet:
    """Multiply all recurrent matrices by ``factor``, in place; return the network."""
    for module in net.modules():
        if isinstance(module, nn.RNNBase):
            module.get_parameter("weight_hh_l0").mul_(factor)
    return net
