"""Data augmentation of recordings and features, drawn from one seeded generator per batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from asr_gru.errors import ConfigError, install_command
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.config import AugmentConfig

try:
    from torchaudio.functional import fftconvolve
except OSError:  # its libraries are built for another torch
    raise ConfigError(
        f"the installed torchaudio does not fit torch; {install_command('train')}"
    ) from None

__all__ = ["Augmenter", "mask_features"]

Samples = npt.NDArray[np.float32]
Random = np.random.Generator

QUIET = 10.0 ** (-40.0 / 20.0)
"""Level below which the edges of an utterance count as quiet, relative to its loudest 10 ms."""


class Augmenter:
    """Applies pauses, speed, reverberation, noise, bandwidth and gain, in their physical order."""

    def __init__(
        self,
        config: AugmentConfig,
        sample_rate: int,
        noise: Corpus | None,
        rooms: Corpus | None,
    ) -> None:
        self.config = config
        self.sample_rate = sample_rate
        self._noise = noise
        self._rooms = rooms

    def __call__(
        self, samples: Samples, random: Random, other_speech: Callable[[], Samples]
    ) -> Samples:
        """Augment ``samples (n,)``; a change of speed changes their number."""
        config = self.config
        if config.pause_prob and random.random() < config.pause_prob:
            samples = self._pause(samples, random)
        if random.random() < config.speed_prob:
            samples = self._speed(samples, random)
        if self._rooms is not None and random.random() < config.rooms_prob:
            samples = self._reverberate(samples, random)
        if self._noise is not None and random.random() < config.noise_prob:
            samples = _mix(
                samples, self.noise(len(samples), random), random.uniform(*config.snr_db)
            )
        if random.random() < config.babble_prob:
            talkers = [_tile(other_speech(), len(samples), random) for _ in range(4)]
            babble: Samples = np.sum(np.stack(talkers), axis=0, dtype=np.float32)
            lowest = max(10.0, config.snr_db[0])
            samples = _mix(samples, babble, random.uniform(lowest, max(lowest, 30.0)))
        if random.random() < config.bandwidth_prob:
            samples = self._limit_bandwidth(samples, random)
        gain = 10.0 ** (random.uniform(*config.gain_db) / 20.0)
        return np.asarray(samples * gain, np.float32)

    def noise(self, length: int, random: Random) -> Samples:
        """Return ``length`` samples of a random noise recording, less trailing digital silence."""
        if self._noise is None:
            return np.zeros(length, np.float32)
        clip = self._noise.samples(int(random.integers(len(self._noise))))
        audible = np.flatnonzero(np.abs(clip) > 1e-4)
        return _tile(clip[: audible[-1] + 1] if len(audible) else clip, length, random)

    def _pause(self, samples: Samples, random: Random) -> Samples:
        """Cut off the quiet edges, and put a pause of random length, or none, in place of each.

        Pauses are digital silence, or noise at the level of the quietest parts.
        """
        frame = self.sample_rate // 100
        frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
        if not len(frames):
            return samples
        levels = np.sqrt(np.mean(np.square(frames), axis=1))
        loud = np.flatnonzero(levels > levels.max() * QUIET)
        if not len(loud):
            return samples
        margin = int(random.integers(0, 6))
        first = max(0, int(loud[0]) - margin) * frame
        last = (int(loud[-1]) + 1 + margin) * frame
        level = 0.0 if random.random() < 0.3 else float(np.quantile(levels, 0.05))
        longest = self.config.pause_s * self.sample_rate
        before, after = (
            random.standard_normal(int(max(0.0, random.uniform(-0.5, 1.0)) * longest)) * level
            for _ in range(2)
        )
        return np.concatenate([before, samples[first:last], after]).astype(np.float32)

    def _speed(self, samples: Samples, random: Random) -> Samples:
        factor = 1.0 + random.uniform(-self.config.speed, self.config.speed)
        changed: Samples = soxr.resample(samples, self.sample_rate * factor, self.sample_rate, "LQ")
        return changed

    def _reverberate(self, samples: Samples, random: Random) -> Samples:
        assert self._rooms is not None
        response = self._rooms.samples(int(random.integers(len(self._rooms))))
        direct = int(np.argmax(np.abs(response)))
        if not response[direct]:  # a silent recording is no room
            return samples
        response = response[direct : direct + self.sample_rate] / response[direct]
        wet = fftconvolve(torch.from_numpy(samples), torch.from_numpy(response)).numpy()
        wet = wet[: len(samples)]
        return np.asarray(wet * (_rms(samples) / max(_rms(wet), 1e-6)), np.float32)

    def _limit_bandwidth(self, samples: Samples, random: Random) -> Samples:
        """Low-pass between telephone and full bandwidth, with mu-law coding one time in three."""
        spectrum = np.fft.rfft(samples)
        hz = np.fft.rfftfreq(len(samples), 1.0 / self.sample_rate)
        highest = random.uniform(3_200.0, self.sample_rate / 2)
        slope = 1.0 / (1.0 + (hz / highest) ** 16)
        if random.random() < 0.5:
            slope *= 1.0 / (1.0 + (random.uniform(30.0, 300.0) / np.maximum(hz, 1.0)) ** 4)
        narrow = np.fft.irfft(spectrum * slope, len(samples))
        if random.random() < 1 / 3:
            peak = max(float(np.abs(narrow).max(initial=0.0)), 1e-6)
            coded = np.sign(narrow) * np.log1p(255.0 * np.abs(narrow) / peak) / np.log(256.0)
            coded = np.rint(coded * 127.0) / 127.0
            narrow = np.sign(coded) * (256.0 ** np.abs(coded) - 1.0) / 255.0 * peak
        return np.asarray(narrow, np.float32)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples)) + 1e-12)) if len(samples) else 1e-6


def _tile(clip: Samples, length: int, random: Random) -> Samples:
    if len(clip) < length:
        times = length // len(clip) + 2 if len(clip) else 0
        clip = np.tile(clip, times) if times else np.zeros(length + 1, np.float32)
    first = int(random.integers(len(clip) - length + 1))
    return np.asarray(clip[first : first + length], np.float32)


def _mix(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    gain = _rms(speech) / _rms(noise) * 10.0 ** (-snr_db / 20.0)
    return np.asarray(speech + gain * noise, np.float32)


def mask_features(
    features: Tensor, frames: npt.NDArray[np.int64], config: AugmentConfig, random: Random
) -> Tensor:
    """SpecAugment (Park et al. 2019) without time warping; masked values are 0, the mean.

    Args:
        features: ``(batch, frames, mels)``.
        frames: valid frames of each row.
        config: number and width of masks.
        random: generator of their positions.
    """
    masked = features.clone()
    mels = features.shape[2]
    for row, length in enumerate(frames.tolist()):
        for _ in range(config.frequency_masks):
            width = int(random.integers(min(config.frequency_width, mels) + 1))
            first = int(random.integers(mels - width + 1))
            masked[row, :, first : first + width] = 0.0
        for _ in range(round(config.time_masks * length / 1000.0)):
            width = int(random.integers(min(config.time_width, length // 4) + 1))
            first = int(random.integers(length - width + 1))
            masked[row, first : first + width] = 0.0
    return masked
