"""Every augmentation changes what it should, and nothing else."""

import numpy as np
import pytest
import torch

from asr_gru.decoding.alignment import frames_needed
from asr_gru.text import build_character_tokenizer
from asr_gru.training.augment import Augmenter, mask_features
from asr_gru.training.config import AugmentConfig, DataConfig, TrainConfig
from asr_gru.training.dataset import TrainingSet

RATE = 16_000


class Clips:
    """A corpus of noise or room responses in memory."""

    def __init__(self, *clips):
        self.clips = clips

    def __len__(self):
        return len(self.clips)

    def samples(self, index):
        return self.clips[index]


SPEECH = (np.random.default_rng(1).standard_normal(RATE) * 0.1).astype(np.float32)
HUM = np.sin(np.arange(RATE // 2) / 20).astype(np.float32)
ECHO = np.zeros(4_000, np.float32)
ECHO[100], ECHO[3_000] = 0.5, 0.25


@pytest.mark.parametrize(
    "change",
    [
        {"noise": "x", "noise_prob": 1.0},
        {"rooms": "x", "rooms_prob": 1.0},
        {"babble_prob": 1.0},
        {"speed_prob": 1.0},
        {"bandwidth_prob": 1.0},
        {"gain_db": (-10.0, -5.0)},
    ],
)
def test_every_augmentation_changes_samples_and_is_reproducible(change):
    augmenter = Augmenter(AugmentConfig(**change), RATE, Clips(HUM), Clips(ECHO))

    def augmented(seed):
        return augmenter(SPEECH, np.random.default_rng(seed), lambda: HUM)

    changed = augmented(0)
    assert changed.dtype == np.float32
    assert len(changed) != len(SPEECH) or not np.array_equal(changed, SPEECH)
    np.testing.assert_array_equal(changed, augmented(0))
    assert (len(changed) == len(SPEECH)) is ("speed_prob" not in change)


def test_without_augmentation_samples_are_unchanged():
    augmenter = Augmenter(AugmentConfig(), RATE, None, None)
    changed = augmenter(SPEECH, np.random.default_rng(0), lambda: HUM)
    np.testing.assert_array_equal(changed, SPEECH)


def test_babble_may_be_quieter_than_thirty_decibels():
    config = AugmentConfig(babble_prob=1.0, snr_db=(35.0, 40.0))
    augmenter = Augmenter(config, RATE, None, None)
    noisy = augmenter(SPEECH, np.random.default_rng(0), lambda: HUM)
    assert 0 < np.abs(noisy - SPEECH).max() < 0.1


def test_a_silent_recording_is_no_room():
    config = AugmentConfig(rooms="x", rooms_prob=1.0)
    augmenter = Augmenter(config, RATE, None, Clips(np.zeros(400, np.float32)))
    changed = augmenter(SPEECH, np.random.default_rng(0), lambda: HUM)
    np.testing.assert_array_equal(changed, SPEECH)


def test_noise_has_the_requested_ratio():
    config = AugmentConfig(noise="x", noise_prob=1.0, snr_db=(10.0, 10.0))
    changed = Augmenter(config, RATE, Clips(HUM), None)(
        SPEECH, np.random.default_rng(0), lambda: HUM
    )
    added = changed - SPEECH
    ratio = 20 * np.log10(np.std(SPEECH) / np.sqrt(np.mean(added**2)))
    assert abs(ratio - 10.0) < 0.2


def test_pauses_replace_quiet_edges_and_keep_the_speech():
    quiet = np.full(RATE // 2, 1e-5, np.float32)
    recording = np.concatenate([quiet, SPEECH, quiet])
    augmenter = Augmenter(AugmentConfig(pause_prob=1.0, pause_s=0.8), RATE, None, None)
    lengths = []
    for seed in range(40):
        changed = augmenter(recording, np.random.default_rng(seed), lambda: HUM)
        loud = np.flatnonzero(np.abs(changed) > 1e-3)
        np.testing.assert_array_equal(changed[loud[0] : loud[-1] + 1], trim(SPEECH))
        lengths.append(loud[0] / RATE)
    assert min(lengths) <= 0.05
    assert 0.5 < max(lengths) <= 0.86


def test_silence_gets_no_pauses():
    augmenter = Augmenter(AugmentConfig(pause_prob=1.0), RATE, None, None)
    for silence in (np.zeros(RATE, np.float32), np.zeros(10, np.float32)):
        changed = augmenter(silence, np.random.default_rng(0), lambda: HUM)
        np.testing.assert_array_equal(changed, silence)


def trim(samples):
    loud = np.flatnonzero(np.abs(samples) > 1e-3)
    return samples[loud[0] : loud[-1] + 1]


def test_masks_fall_within_the_utterance():
    config = AugmentConfig(frequency_masks=2, time_masks=30, time_width=20)
    features = torch.ones(2, 100, 80)
    masked = mask_features(features, np.array([100, 40]), config, np.random.default_rng(0))
    assert (features == 1).all()
    assert (masked == 0).any()
    columns = masked[1, 40:].min(dim=0).values
    assert (masked[1, 40:] == columns).all()


class Speech(Clips):
    """A corpus of utterances in memory."""

    def __init__(self, text, *clips):
        super().__init__(*clips)
        self.utterances = [Texts(text)] * len(clips)

    def duration_s(self, index):
        return len(self.clips[index]) / RATE


class Texts:
    source = ""

    def __init__(self, text):
        self.text = text


def trimmed(trim_tail_s, text="abcab"):
    config = TrainConfig(
        data=DataConfig(train=("x",)), augment=AugmentConfig(trim_tail_s=trim_tail_s)
    )
    tokens = build_character_tokenizer(["abc"])
    examples = TrainingSet(
        Speech(text, SPEECH), tokens, config, Augmenter(config.augment, RATE, None, None)
    )
    return [examples.batch([0], (seed,)) for seed in range(40)], frames_needed(tokens.encode(text))


def test_tails_are_trimmed_and_texts_are_kept():
    plain, _ = trimmed(0.0)
    assert {int(batch.frames[0]) for batch in plain} == {25}
    cut, _ = trimmed(0.4)
    frames = {int(batch.frames[0]) for batch in cut}
    assert 15 <= min(frames) < max(frames) <= 25
    assert all(batch.target_lengths.tolist() == [5] for batch in cut)
    for batch in cut:
        shorter = batch.samples.shape[1] - 640  # the last frame may contain padding
        np.testing.assert_array_equal(batch.samples[0, :shorter], SPEECH[:shorter])


def test_tails_that_the_text_needs_are_kept():
    cut, least = trimmed(5.0, text="abcabcabcabcabcabcab")
    assert min(int(batch.frames[0]) for batch in cut) >= least
