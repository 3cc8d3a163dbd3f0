"""Augmentation on the device and batches of fixed shapes; everything runs on the CPU here."""

import numpy as np
import pytest
import torch

from asr_gru.training.augment import mask_features
from asr_gru.training.config import AugmentConfig
from recipes.en_small.gpu.augment import assemble, limit_bandwidth, mask, reverberate
from recipes.en_small.gpu.corpus import SPEECH
from recipes.en_small.gpu.draw import BUCKETS, Batcher, draw_plain, draw_training, output_frames

from .conftest import RATE


def test_without_augmentation_batches_equal_the_recordings(trainer):
    corpus = trainer.corpus
    draws = draw_plain(corpus, corpus.of_kind(SPEECH)[:5])
    batch = assemble(corpus, draws, 20_000)
    for row, index in enumerate(draws.recording):
        begin, length = corpus.recordings.begins[index], corpus.recordings.lengths[index]
        samples = corpus.samples[begin : begin + length].float() / 32768.0
        torch.testing.assert_close(batch[row, :length], samples, atol=1e-6, rtol=0)
        assert not batch[row, length:].any()


def test_speed_changes_the_frequency_and_pauses_shift_the_audio(trainer):
    corpus = trainer.corpus
    tone = torch.sin(torch.arange(8_000) * (2 * np.pi * 1_000.0 / RATE))
    corpus.samples[:8_000] = (tone * 16_384).short()
    draws = draw_plain(corpus, np.array([0]))
    changes = {"length": [8_000], "before": [800], "total": [8_800], "speed": [1.25]}
    values = {k: np.array(v, getattr(draws, k).dtype) for k, v in changes.items()}
    batch = assemble(corpus, change(draws, values), 9_600)[0]
    heard = torch.sin(torch.arange(6_400) * (2 * np.pi * 1_250.0 / RATE)) / 2
    assert not batch[:800].any()
    torch.testing.assert_close(batch[810:7_190], heard[10:6_390], atol=2e-3, rtol=0)
    assert not batch[7_200:].any()


def change(draws, values):
    """Return ``draws`` with other columns."""
    columns = {name: getattr(draws, name) for name in draws.__slots__}
    return type(draws)(**{**columns, **values})


def test_augmentation_keeps_room_for_texts_and_adds_noise_at_the_ratio(packed, trainer):
    corpus, config = trainer.corpus, packed[2]
    random = np.random.default_rng(1)
    seen = []
    for _ in range(40):
        draws = draw_training(corpus, config, random)
        seen.append(draws)
        spoken = draws.recording >= 0
        assert spoken.sum() == 19  # the rare one is never drawn
        assert (~spoken).sum() == 2
        needed = corpus.recordings.frames_needed[draws.recording[spoken]]
        assert (draws.total[spoken] // config.net.frame_samples >= needed).all()
        lengths = corpus.recordings.lengths[draws.recording[spoken]]
        assert (draws.first + draws.length)[spoken].max() <= lengths.max()
    draws = seen[0].join(seen)
    spoken = draws.recording >= 0
    assert 0.4 < (draws.noise[spoken] >= 0).mean() < 0.6
    assert 0.4 < (draws.speed[spoken] != 1.0).mean() < 0.6
    noisy = draws.take(np.flatnonzero(spoken & (draws.noise >= 0))[:20])
    n = int(noisy.total.max())
    quiet = change(noisy, {"noise": noisy.noise * 0 - 1, "pause_level": noisy.snr_db * 0})
    noisy = change(noisy, {"pause_level": noisy.snr_db * 0})
    clean, mixed = assemble(corpus, quiet, n), assemble(corpus, noisy, n)
    ratio = clean.square().sum(dim=1) / (mixed - clean).square().sum(dim=1)
    np.testing.assert_allclose(10 * np.log10(ratio.numpy()), noisy.snr_db, atol=0.01)


def test_batches_have_one_shape_and_contain_every_recording(packed, trainer):
    corpus, config = trainer.corpus, packed[2]
    random = np.random.default_rng(2)
    batcher = Batcher(config)
    seen, drawn = 0, 0
    for _ in range(10):
        draws = draw_training(corpus, config, random)
        drawn += len(draws)
        for frames, batch in batcher.feed(draws, random):
            assert frames in BUCKETS
            assert len(batch) == batcher.rows(frames)
            assert output_frames(batch, config.net).max() <= frames
            shorter = [bucket for bucket in BUCKETS if bucket < frames]
            assert not shorter or output_frames(batch, config.net).min() > shorter[-1]
            seen += len(batch)
    rest = sum(len(batch) for _, batch in batcher.rest())
    assert (seen + rest, rest < drawn / 2) == (drawn, True)


def test_reverberation_keeps_the_level_and_a_unit_impulse_changes_nothing():
    samples = torch.randn(3, 4_000)
    total = torch.tensor([[4_000], [3_000], [4_000]])
    samples[1, 3_000:] = 0.0
    one = torch.zeros(2, 1_600)
    one[:, 0] = 1.0
    torch.testing.assert_close(reverberate(samples, total, one), samples, atol=1e-4, rtol=1e-4)
    wet = reverberate(samples, total, one + 0.05 * torch.randn(2, 1_600))
    assert not torch.allclose(wet[0], samples[0], atol=0.1)
    torch.testing.assert_close(wet[2], samples[2])
    torch.testing.assert_close(wet[:2].norm(dim=1), samples[:2].norm(dim=1), rtol=1e-3, atol=0)
    assert not wet[1, 3_000:].any()


def test_band_limited_audio_has_no_high_frequencies():
    torch.manual_seed(3)
    samples = torch.randn(64, 16_000) * 0.1
    narrow = limit_bandwidth(samples, 60, RATE)
    torch.testing.assert_close(narrow[:4], samples[:4])
    treble = torch.fft.rfft(narrow, dim=1)[:, 7_500:].abs().mean(dim=1)
    assert (treble[4:] < treble[:4].mean()).float().mean() > 0.8
    assert torch.isfinite(narrow).all()


def test_masks_cover_as_much_as_those_of_the_package():
    config = AugmentConfig(frequency_masks=2, frequency_width=18, time_masks=4, time_width=22)
    frames = torch.tensor([1_000, 600, 1_000, 200] * 50)
    features = torch.ones(200, 1_000, 80)
    torch.manual_seed(4)
    hidden = 1.0 - mask(features, frames, config)
    random = np.random.default_rng(4)
    expected = 1.0 - mask_features(features, frames.numpy(), config, random)
    for length in (1_000, 600, 200):
        rows = frames == length
        ours, theirs = (one[rows, :length].mean().item() for one in (hidden, expected))
        assert ours == pytest.approx(theirs, rel=0.15)
