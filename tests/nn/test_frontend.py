from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from asr_gru.model.net_config import FrontendConfig
from asr_gru.nn.filterbank import mel_filters
from asr_gru.nn.frontend import Frontend

CONFIG = FrontendConfig()
WINDOW, HOP, FFT = 400, 160, 512
CENTRING = (FFT - WINDOW) // 2  # other libraries centre the window in the frame of the transform


def speech_like(seconds: float = 2.0) -> np.ndarray:
    """Return voiced and noisy segments with formants, at a plausible level."""
    random = np.random.default_rng(5)
    time = np.arange(int(seconds * 16_000)) / 16_000
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    voiced = sum(np.cos(k * phase) / k for k in range(1, 40))
    loud = 0.5 + 0.5 * np.sin(2 * np.pi * 2.3 * time)
    noise = random.standard_normal(len(time))
    return np.asarray(0.05 * voiced * loud + 0.02 * noise * (1 - loud) + 0.001 * noise, np.float32)


def our_mel_spectrogram(samples: np.ndarray, config: FrontendConfig = CONFIG) -> np.ndarray:
    frontend = Frontend(config)
    whole = len(samples) - len(samples) % HOP
    mel, _ = frontend(torch.from_numpy(samples[None, :whole]), frontend.start(1))
    return mel[0].numpy()


def pad_to_our_framing(samples: np.ndarray) -> np.ndarray:
    """Prepend zeros, so that frame t of an uncentred transform is frame t of ours."""
    return np.concatenate([np.zeros(WINDOW - HOP + CENTRING, np.float32), samples])


def test_agrees_with_torchaudio():
    samples = speech_like()
    transform = torchaudio.transforms.MelSpectrogram(
        sample_rate=16_000,
        n_fft=FFT,
        win_length=WINDOW,
        hop_length=HOP,
        f_min=20.0,
        f_max=7_600.0,
        n_mels=80,
        power=2.0,
        center=False,
        norm=None,
        mel_scale="htk",
    )
    theirs = transform(torch.from_numpy(pad_to_our_framing(samples))).numpy().T
    mine = our_mel_spectrogram(samples)
    frames = min(len(theirs), len(mine))
    assert frames >= 198
    np.testing.assert_allclose(mine[:frames], theirs[:frames], rtol=1e-4, atol=1e-6 * mine.max())
    log = np.abs(np.log(mine[:frames] + 1e-6) - np.log(theirs[:frames] + 1e-6))
    assert log.mean() < 1e-4


def test_agrees_with_librosa():
    samples = speech_like()
    theirs = librosa.feature.melspectrogram(
        y=pad_to_our_framing(samples),
        sr=16_000,
        n_fft=FFT,
        win_length=WINDOW,
        hop_length=HOP,
        fmin=20.0,
        fmax=7_600.0,
        n_mels=80,
        power=2.0,
        center=False,
        norm=None,
        htk=True,
    ).T
    mine = our_mel_spectrogram(samples)
    frames = min(len(theirs), len(mine))
    np.testing.assert_allclose(mine[:frames], theirs[:frames], rtol=1e-4, atol=1e-7 * mine.max())


def test_a_frame_is_the_window_that_ends_with_its_hop():
    """Frame t depends on the 400 samples that end at (t + 1) * 160, and on no later ones."""
    samples = speech_like(0.2)
    before = our_mel_spectrogram(samples)
    for frame in (3, 7):
        changed = samples.copy()
        changed[(frame + 1) * HOP :] = 0.3
        after = our_mel_spectrogram(changed)
        np.testing.assert_array_equal(before[: frame + 1], after[: frame + 1])
        assert not np.allclose(before[frame + 1], after[frame + 1])
        earlier = samples.copy()
        earlier[: (frame + 1) * HOP - WINDOW] = 0.3
        np.testing.assert_allclose(our_mel_spectrogram(earlier)[frame], before[frame], rtol=1e-5)


def test_a_tone_has_its_energy_in_the_mel_bin_around_it():
    time = np.arange(16_000) / 16_000
    filters = mel_filters(CONFIG)
    centres = filters.argmax(axis=0) * 16_000 / FFT
    for hz in (300.0, 1_000.0, 4_000.0):
        mel = our_mel_spectrogram(np.asarray(0.1 * np.sin(2 * np.pi * hz * time), np.float32))
        assert abs(centres[mel[50].argmax()] - hz) < 0.06 * hz + 32


@pytest.mark.parametrize(
    "config",
    [
        FrontendConfig(sample_rate=8_000, fft_size=256, high_hz=3_800.0, mels=40),
        FrontendConfig(window_ms=32.0, hop_ms=16.0, mels=64, low_hz=60.0),
    ],
)
def test_every_parameter_has_an_effect(config: FrontendConfig):
    frontend = Frontend(config)
    samples = torch.from_numpy(speech_like(0.5))[None, : config.hop * 20]
    mel, tail = frontend(samples, frontend.start(1))
    assert mel.shape == (1, 20, config.mels)
    assert tail.shape == (1, config.window - config.hop)
    assert mel_filters(config).shape == (config.fft_size // 2 + 1, config.mels)


def test_a_dc_offset_does_not_matter():
    samples = speech_like()
    config = FrontendConfig(remove_dc_offset=True)
    clean, offset = (
        our_mel_spectrogram(samples, config),
        our_mel_spectrogram(samples + np.float32(0.1), config),
    )
    steady = slice(WINDOW // HOP + 1, None)  # the offset starts as a step
    np.testing.assert_allclose(offset[steady], clean[steady], rtol=1e-3, atol=1e-6)
    assert (
        our_mel_spectrogram(samples + np.float32(0.1))[steady, 0].min()
        > 50 * clean[steady, 0].max()
    )


def test_the_offset_removed_is_the_mean_of_the_window():
    samples = speech_like(0.2) + np.float32(0.05)
    config = FrontendConfig(remove_dc_offset=True)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), WINDOW)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    spectrum = np.fft.rfft((frames - frames.mean(axis=1, keepdims=True)) * hann, FFT)
    mel = np.abs(spectrum) ** 2 @ mel_filters(config)
    mine = our_mel_spectrogram(
        np.concatenate([np.zeros(WINDOW - HOP, np.float32), samples]), config
    )
    lead = (WINDOW - HOP) * 2  # samples of zeros before the first frame
    assert lead % HOP == 0
    mine = mine[lead // HOP :]
    frames_both = min(len(mine), len(mel))
    np.testing.assert_allclose(mine[:frames_both], mel[:frames_both], rtol=1e-4, atol=1e-6)


def test_samples_far_beyond_full_scale_are_clipped():
    samples = speech_like(0.2)
    samples[1000] = 1e18
    clipped = samples.copy()
    clipped[1000] = 4.0
    np.testing.assert_array_equal(our_mel_spectrogram(samples), our_mel_spectrogram(clipped))
    loud = 3.9 * np.sign(speech_like(0.2))
    assert (
        our_mel_spectrogram(loud).max() > 1.5 * our_mel_spectrogram(loud / 1.5).max()
    )  # 10 dB over full scale is unchanged
