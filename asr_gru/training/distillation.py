"""Distillation from a bidirectional teacher that tolerates the delay of a streaming student.

A streaming network emits a token later than one that hears the whole recording, so comparing the
two frame by frame punishes it for a delay that it cannot avoid. Delayed-KD (Li et al. 2025)
compares the student with its teacher over a range of delays. Here each frame of the teacher is
matched with a frame of the student that lies 0 to ``max_delay`` frames later, and time never runs
backwards from one match to the next: the path with the smallest sum of divergences is that of
dynamic time warping (Sakoe and Chiba 1978), so delays may differ from token to token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from asr_gru.errors import ConfigError
from asr_gru.nn.net import AcousticNet
from asr_gru.text import Tokenizer
from asr_gru.training.config import TrainConfig
from asr_gru.training.initialise import load_net, load_net_tokenizer
from asr_gru.training.run import Run, find_model

__all__ = ["Teacher", "best_delays", "distillation_loss", "load_teacher"]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained network that a student learns from.

    Attributes:
        net: its network, in evaluation mode.
        max_delay: largest delay of the student behind it, in output frames.
    """

    net: AcousticNet
    max_delay: int

    @torch.no_grad()
    def log_probs(self, samples: Tensor, frames: Tensor) -> Tensor:
        """Return its log-probabilities ``(batch, max(frames), tokens)``, free of its own delay.

        Args:
            samples: ``(batch, n)``, padded with zeros.
            frames: output frames of audio in each row, ``(batch,)``.
        """
        delay = self.net.config.encoder.delay
        needed = (int(frames.max()) + delay) * self.net.config.frame_samples
        samples = F.pad(samples, (0, max(0, needed - samples.shape[1])))[:, :needed]
        log_probs, _ = self.net(samples, None, frames)
        own: Tensor = log_probs[:, delay:].float()
        return own

    def loss(self, log_probs: Tensor, samples: Tensor, frames: Tensor, delay: int) -> Tensor:
        """Return the sum of divergences of a student; see ``distillation_loss``.

        Args:
            log_probs: the student's, ``(views * batch, frames, tokens)``; the mean over views of
                the same samples is returned.
            samples: the audio of both, ``(batch, n)``.
            frames: valid rows of ``log_probs`` for each row of samples, ``(batch,)``.
            delay: rows by which the student's network trails its audio.
        """
        heard = frames - delay
        targets = self.log_probs(samples, heard)
        views = log_probs[:, delay:].chunk(log_probs.shape[0] // samples.shape[0])
        losses = [distillation_loss(view, targets, heard, self.max_delay) for view in views]
        return torch.stack(losses).mean()


def load_teacher(config: TrainConfig, run: Run, tokenizer: Tokenizer) -> Teacher | None:
    """Load the teacher of a run, or return None if it has none.

    Raises:
        ModelError: ``distillation.teacher`` is neither a run nor a model.
        ConfigError: its outputs cannot be compared with those of this configuration.
    """
    name = config.distillation.teacher
    if not name:
        return None
    path = run.teacher or find_model(name, run.root)
    net = load_net(path)
    found, wanted = net.config, config.net
    if load_net_tokenizer(path).symbols != tokenizer.symbols:
        raise ConfigError(
            f"distillation.teacher: {path} has other tokens than this run; start from it, or train "
            "both on the same data with the same data.tokens"
        )
    periods_ms = [1e3 * net.frame_samples / net.frontend.sample_rate for net in (found, wanted)]
    if found.frontend.sample_rate != wanted.frontend.sample_rate or periods_ms[0] != periods_ms[1]:
        raise ConfigError(
            f"distillation.teacher: {path} has frames of {periods_ms[0]:g} ms at "
            f"{found.frontend.sample_rate} Hz, this run {periods_ms[1]:g} ms at "
            f"{wanted.frontend.sample_rate} Hz; set encoder.subsampling and frontend to its values"
        )
    return Teacher(net, round(1e3 * config.distillation.max_delay_s / periods_ms[1]))


def distillation_loss(student: Tensor, teacher: Tensor, frames: Tensor, max_delay: int) -> Tensor:
    """Return the KL divergence of a student from its teacher along the best path of delays.

    Args:
        student: log-probabilities ``(batch, frames, tokens)``.
        teacher: likewise; a fixed target.
        frames: valid frames of each row, ``(batch,)``.
        max_delay: largest delay in frames; 0 compares frame by frame.

    Returns:
        the sum over valid frames of the teacher, in nats.
    """
    T = teacher.shape[1]
    with torch.no_grad():
        delays = best_delays(student, teacher, frames, max_delay)
        matched = (torch.arange(T, device=frames.device) + delays).clamp(max=T - 1)
    paired = student.gather(1, matched[:, :, None].expand(-1, -1, student.shape[2]))
    divergence = (teacher.exp() * (teacher - paired)).sum(dim=-1)
    valid = torch.arange(T, device=frames.device) < frames[:, None]
    return (divergence * valid).sum()


def best_delays(student: Tensor, teacher: Tensor, frames: Tensor, max_delay: int) -> Tensor:
    """Return the delay of the student's frame that each frame of the teacher is matched with.

    Args:
        student: as for ``distillation_loss``.
        teacher: as for ``distillation_loss``.
        frames: as for ``distillation_loss``.
        max_delay: as for ``distillation_loss``.

    Returns:
        frames from 0 to ``max_delay``, ``(batch, frames)``; one less than its neighbour on the left
        at the least, since the matched frames never go back.
    """
    B, T, _ = teacher.shape
    probs = teacher.exp()
    time = torch.arange(T, device=frames.device)
    costs = probs.new_full((T, B, max_delay + 1), torch.inf)
    for delay in range(min(max_delay + 1, T)):
        cross_entropy = -(probs[:, : T - delay] * student[:, delay:]).sum(dim=-1)
        inside = time[: T - delay] + delay < frames[:, None]
        costs[: T - delay, :, delay] = torch.where(inside, cross_entropy, torch.inf).t()
    costs[time[:, None] >= frames] = 0.0  # padding goes with anything
    came_from = torch.empty(costs.shape, dtype=torch.long, device=frames.device)
    total = costs[0]
    for t in range(1, T):
        smallest, index = total.cummin(dim=1)
        # A delay d can follow any of 0 to d + 1, as the student's frame must not go back.
        total = costs[t] + torch.cat([smallest[:, 1:], smallest[:, -1:]], dim=1)
        came_from[t] = torch.cat([index[:, 1:], index[:, -1:]], dim=1)
    delays = [total.argmin(dim=1, keepdim=True)]
    for t in range(T - 1, 0, -1):
        delays.append(came_from[t].gather(1, delays[-1]))
    return torch.cat(delays[::-1], dim=1)
