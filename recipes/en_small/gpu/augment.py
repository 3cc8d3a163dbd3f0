"""Makes the samples of a batch on the device: pauses, speed, rooms, noise, bandwidth and gain."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from asr_gru.training.config import AugmentConfig
from recipes.en_small.gpu.corpus import ROOM, Corpus
from recipes.en_small.gpu.draw import NO_NOISE_DB, Draws

__all__ = ["assemble", "limit_bandwidth", "mask", "reverberate", "room_responses"]

TAPS = 8
"""Length of the windowed sinc that interpolates between samples."""


def assemble(corpus: Corpus, draws: Draws, samples: int) -> Tensor:
    """Return ``(batch, samples)`` with pauses, changes of speed, noise and gain, padded with 0."""
    device = corpus.samples.device
    column = {
        one.name: torch.from_numpy(getattr(draws, one.name)).to(device)[:, None]
        for one in fields(draws)
    }
    table = corpus.recordings
    begin = torch.from_numpy(table.begins[draws.recording] + draws.first).to(device)[:, None]
    time = torch.arange(samples, device=device)[None, :]
    speech = _interpolate(
        corpus.samples, begin, column["length"], time - column["before"], column["speed"]
    )
    inside = time < column["total"]
    sounding = (time >= column["before"]) & (
        time < column["before"] + column["length"] / column["speed"]
    )
    pause = torch.randn(speech.shape, device=device) * column["pause_level"]
    speech = torch.where(sounding, speech, pause * inside)
    speech = _add_noise(corpus, draws, column, speech, time, inside)
    gain: Tensor = 10.0 ** (column["gain_db"] / 20.0)
    return speech * gain


def _interpolate(
    memory: Tensor, begin: Tensor, length: Tensor, time: Tensor, speed: Tensor
) -> Tensor:
    """Read ``memory`` from ``begin`` on at ``time * speed``, with a sinc under a Hann window."""
    position = time.double() * speed.double()
    base = position.floor()
    fraction = (position - base).float()
    base = base.long()
    cutoff = torch.clamp(1.0 / speed, max=1.0)
    total = torch.zeros_like(fraction)
    for tap in range(1 - TAPS // 2, TAPS // 2 + 1):
        index = base + tap
        value = memory[(begin + index).clamp(0, len(memory) - 1)].float() / 32768.0
        value = torch.where((index >= 0) & (index < length), value, 0.0)
        distance = tap - fraction
        window = torch.cos(distance * (math.pi / TAPS)).square()
        total += value * (cutoff * torch.sinc(cutoff * distance) * window)
    return total


def _add_noise(
    corpus: Corpus,
    draws: Draws,
    column: dict[str, Tensor],
    speech: Tensor,
    time: Tensor,
    inside: Tensor,
) -> Tensor:
    """Mix noise into the rows that have some: at an SNR, or at a level where there is no speech."""
    rows = np.flatnonzero(draws.noise >= 0)
    if not len(rows):
        return speech
    device = speech.device
    chosen = torch.from_numpy(rows).to(device)
    begins = torch.from_numpy(corpus.recordings.begins[draws.noise[rows]]).to(device)[:, None]
    lengths = torch.from_numpy(corpus.recordings.lengths[draws.noise[rows]]).to(device)[:, None]
    index = begins + (column["noise_first"][chosen] + time) % lengths
    noise = corpus.samples[index].float() / 32768.0 * inside[chosen]
    some = speech[chosen]
    total = column["total"][chosen]
    ratio = column["snr_db"][chosen]
    alone = column["recording"][chosen] < 0
    at_snr = _rms(some, total) / _rms(noise, total) * 10.0 ** (-ratio / 20.0)
    gain = torch.where(alone, 10.0 ** (ratio / 20.0), at_snr)
    mixed = some + torch.where(ratio < NO_NOISE_DB, gain, 0.0) * noise
    return speech.index_copy(0, chosen, mixed)


def _rms(samples: Tensor, total: Tensor) -> Tensor:
    power = samples.square().sum(dim=1, keepdim=True) / total.clamp(min=1)
    return (power + 1e-12).sqrt()


def reverberate(samples: Tensor, total: Tensor, responses: Tensor) -> Tensor:
    """Convolve the first rows with ``responses (rows, taps)``, keeping their level."""
    rows, n = len(responses), samples.shape[1]
    if not rows:
        return samples
    size = 2 ** math.ceil(math.log2(n + responses.shape[1]))
    dry, total = samples[:rows], total[:rows]
    spectrum = torch.fft.rfft(dry, size) * torch.fft.rfft(responses, size)
    wet = torch.fft.irfft(spectrum, size)[:, :n]
    wet = wet * (torch.arange(n, device=wet.device)[None, :] < total)
    wet = wet * (_rms(dry, total) / _rms(wet, total).clamp(min=1e-6))
    return torch.cat([wet, samples[rows:]])


def room_responses(corpus: Corpus, sample_rate: int) -> Tensor:
    """Return the impulse response of each room from the direct sound on, which is 1.

    They have a length of one second.
    """
    rooms = corpus.of_kind(ROOM)
    found = torch.zeros(len(rooms), sample_rate, device=corpus.samples.device)
    for row, room in enumerate(rooms.tolist()):
        begin, length = corpus.recordings.begins[room], corpus.recordings.lengths[room]
        response = corpus.samples[begin : begin + length].float()
        direct = int(response.abs().argmax())
        response = response[direct : direct + sample_rate] / response[direct]
        found[row, : len(response)] = response
    return found


def limit_bandwidth(samples: Tensor, rows: int, sample_rate: int) -> Tensor:
    """Low-pass the last rows between telephone and full bandwidth, a third with mu-law coding."""
    if not rows:
        return samples
    kept, wide = samples[:-rows], samples[-rows:]
    n, device = samples.shape[1], samples.device
    size = 2 ** math.ceil(math.log2(n))
    hz = torch.fft.rfftfreq(size, 1.0 / sample_rate, device=device)[None, :]
    highest = torch.empty(rows, 1, device=device).uniform_(3_200.0, sample_rate / 2)
    lowest = torch.empty(rows, 1, device=device).uniform_(30.0, 300.0)
    slope = 1.0 / (1.0 + (hz / highest) ** 16)
    high_pass = 1.0 / (1.0 + (lowest / hz.clamp(min=1.0)) ** 4)
    some = torch.rand(rows, 1, device=device) < 0.5
    slope = slope * torch.where(some, high_pass, 1.0)
    narrow = torch.fft.irfft(torch.fft.rfft(wide, size) * slope, size)[:, :n]
    peak = narrow.abs().amax(dim=1, keepdim=True).clamp(min=1e-6)
    coded = narrow.sign() * torch.log1p(255.0 * narrow.abs() / peak) / math.log(256.0)
    coded = torch.round(coded * 127.0) / 127.0
    decoded = coded.sign() * (256.0 ** coded.abs() - 1.0) / 255.0 * peak
    telephone = torch.rand(rows, 1, device=device) < 1 / 3
    return torch.cat([kept, torch.where(telephone, decoded, narrow)])


def mask(features: Tensor, frames: Tensor, config: AugmentConfig) -> Tensor:
    """SpecAugment as in ``asr_gru.training.augment.mask_features``, for all rows at once.

    Args:
        features: ``(batch, frames, mels)``.
        frames: valid frames of each row.
        config: number and width of masks.
    """
    batch, longest, mels = features.shape
    device = features.device

    def covered(count: int, size: int, width: Tensor, end: Tensor) -> Tensor:
        """Return which of ``size`` positions ``count`` spans cover, ``(batch, size)``."""
        widths = (torch.rand(batch, count, device=device) * (width + 1)).floor()
        firsts = (torch.rand(batch, count, device=device) * (end - widths + 1)).floor()
        position = torch.arange(size, device=device)[None, None, :]
        spans = (position >= firsts[:, :, None]) & (position < (firsts + widths)[:, :, None])
        return spans.any(dim=1)

    hidden = torch.zeros(batch, longest, mels, dtype=torch.bool, device=device)
    length = frames[:, None].float()
    if config.frequency_masks:
        width = torch.full_like(length, min(config.frequency_width, mels))
        bins = covered(config.frequency_masks, mels, width, torch.full_like(length, mels))
        hidden |= bins[:, None, :]
    for number in range(math.ceil(config.time_masks * longest / 1000.0)):
        some = length >= (number + 0.5) * 1000.0 / config.time_masks
        width = torch.clamp(length / 4, max=config.time_width).floor() * some
        hidden |= covered(1, longest, width, length)[:, :, None]
    return features.masked_fill(hidden, 0.0)
