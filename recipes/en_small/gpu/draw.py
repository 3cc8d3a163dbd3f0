"""Draws what becomes of each utterance, and sorts utterances into batches of a few fixed shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import numpy as np

from asr_gru.model.net_config import NetConfig
from asr_gru.training.config import TrainConfig
from asr_gru.training.sampler import NOISE_SECONDS
from recipes.en_small.gpu.corpus import NOISE, SPEECH, Corpus, Floats, Ints

__all__ = ["BUCKETS", "Batcher", "Draws", "draw_plain", "draw_training", "output_frames"]

BUCKETS = (40, 55, 70, 85, 100, 120, 140, 165, 190, 220, 255, 300, 350, 420, 520, 620)
"""Output frames of a batch; an utterance goes into the shortest that holds it."""

NOISE_GAIN_DB = (-50.0, -10.0)
NO_NOISE_DB = 200.0


@dataclass(frozen=True, slots=True)
class Draws:
    """One entry for each utterance; all samples are counted in the recording's own rate.

    Attributes:
        recording: index of the recording, -1 for noise alone.
        first: first sample that is used.
        length: number of samples that are used.
        before: samples of pause before them, after the change of speed.
        total: samples of the augmented utterance.
        speed: samples of the recording per sample of the augmented utterance.
        pause_level: level of the noise in pauses.
        noise: index of the noise recording, -1 for none.
        noise_first: its first sample.
        snr_db: signal-to-noise ratio; for noise alone, its level.
        gain_db: change of level.
    """

    recording: Ints
    first: Ints
    length: Ints
    before: Ints
    total: Ints
    speed: Floats
    pause_level: Floats
    noise: Ints
    noise_first: Ints
    snr_db: Floats
    gain_db: Floats

    def __len__(self) -> int:
        return len(self.recording)

    def take(self, indices: Ints) -> Draws:
        """Return some entries."""
        return Draws(*(getattr(self, one.name)[indices] for one in fields(self)))

    @staticmethod
    def join(parts: list[Draws]) -> Draws:
        """Return the entries of several."""
        columns = [[getattr(part, one.name) for part in parts] for one in fields(Draws)]
        return Draws(*(np.concatenate(column) for column in columns))


def output_frames(draws: Draws, net: NetConfig) -> Ints:
    """Return the output frames of each utterance."""
    frames: Ints = -(-draws.total // net.frame_samples) + net.encoder.delay
    return frames


def draw_plain(corpus: Corpus, recordings: Ints) -> Draws:
    """Return recordings without augmentation."""
    lengths = corpus.recordings.lengths[recordings]
    count, none = len(recordings), np.zeros(len(recordings), np.int64)
    real = np.zeros(count, np.float32)
    return Draws(
        recording=recordings,
        first=none,
        length=lengths,
        before=none,
        total=lengths,
        speed=real + 1.0,
        pause_level=real,
        noise=none - 1,
        noise_first=none,
        snr_db=real + NO_NOISE_DB,
        gain_db=real,
    )


def draw_training(corpus: Corpus, config: TrainConfig, random: np.random.Generator) -> Draws:
    """Draw an epoch: utterances by their weights, in random order, and their augmentation."""
    speech = corpus.of_kind(SPEECH)
    weights = corpus.recordings.weights[speech]
    repeats = np.floor(weights + random.random(len(weights))).astype(np.int64)
    chosen = np.repeat(speech, repeats)
    alone = np.full(round(config.data.noise_only * len(chosen)), -1)
    noises = corpus.of_kind(NOISE)
    chosen = np.concatenate([chosen, alone[: len(alone) if len(noises) else 0]])
    return _augment(corpus, random.permutation(chosen), config, random)


def _augment(
    corpus: Corpus, chosen: Ints, config: TrainConfig, random: np.random.Generator
) -> Draws:
    table, augment, rate = corpus.recordings, config.augment, config.frontend.sample_rate
    count, silent = len(chosen), chosen < 0
    lengths = table.lengths[chosen]
    hop = rate // 100
    paused = random.random(count) < augment.pause_prob
    margin = random.integers(0, 6, count)
    first = np.where(paused, np.maximum(table.firsts[chosen] - margin, 0) * hop, 0)
    last = np.where(paused, (table.lasts[chosen] + 1 + margin) * hop, lengths)
    length = np.minimum(last, lengths) - first
    longest = augment.pause_s * rate
    before, after = (
        np.where(paused, np.maximum(0.0, random.uniform(-0.5, 1.0, count)) * longest, 0.0)
        for _ in range(2)
    )
    silence = random.random(count) < 0.3
    level = np.where(silence, 0.0, table.levels[chosen])
    factor = 1.0 + random.uniform(-augment.speed, augment.speed, count)
    speed = np.where(random.random(count) < augment.speed_prob, factor, 1.0)
    total = before.astype(np.int64) + np.round(length / speed).astype(np.int64)
    total += after.astype(np.int64)
    tight = (total // config.net.frame_samples < table.frames_needed[chosen]) & ~silent
    alone = (random.uniform(*NOISE_SECONDS, count) * rate).astype(np.int64)
    noises = corpus.of_kind(NOISE)
    noisy = (random.random(count) < augment.noise_prob) | silent
    noisy &= bool(len(noises))
    noise = np.where(noisy, random.choice(noises, count), -1) if len(noises) else np.full(count, -1)
    noise_length = table.lengths[noise]
    snr = np.where(
        silent,
        random.uniform(*NOISE_GAIN_DB, count),
        random.uniform(*augment.snr_db, count),
    )
    return Draws(
        recording=chosen,
        first=np.where(tight | silent, 0, first),
        length=np.where(silent, 0, np.where(tight, lengths, length)),
        before=np.where(tight | silent, 0, before.astype(np.int64)),
        total=np.where(silent, alone, np.where(tight, lengths, total)),
        speed=np.where(tight | silent, 1.0, speed).astype(np.float32),
        pause_level=np.where(silent, 0.0, level).astype(np.float32),
        noise=noise,
        noise_first=(random.random(count) * noise_length).astype(np.int64),
        snr_db=np.where(noisy, snr, NO_NOISE_DB).astype(np.float32),
        gain_db=np.where(silent, 0.0, random.uniform(*augment.gain_db, count)).astype(np.float32),
    )


@dataclass
class Batcher:
    """Collects utterances until there are enough of one length for a batch.

    Attributes:
        config: configuration of the run; ``data.batch_s`` is the size of a batch.
        waiting: utterances of each bucket that wait for more.
    """

    config: TrainConfig
    waiting: dict[int, list[Draws]] = field(default_factory=dict)

    def rows(self, frames: int) -> int:
        """Return the number of utterances in a batch of ``frames`` output frames."""
        seconds = frames * self.config.net.frame_samples / self.config.frontend.sample_rate
        rows = int(self.config.data.batch_s / seconds)
        return rows - rows % 8 if rows > 8 else max(rows, 1)

    def feed(self, draws: Draws, random: np.random.Generator) -> Iterator[tuple[int, Draws]]:
        """Yield full batches in random order, as output frames and utterances.

        The rest waits for the next call.

        Utterances longer than the longest bucket are left out.
        """
        buckets = np.searchsorted(BUCKETS, output_frames(draws, self.config.net))
        for bucket in range(len(BUCKETS)):
            found = np.flatnonzero(buckets == bucket)
            if len(found):
                self.waiting.setdefault(bucket, []).append(draws.take(found))
        full: list[tuple[int, Draws]] = []
        for bucket, parts in self.waiting.items():
            frames = BUCKETS[bucket]
            whole, rows = Draws.join(parts), self.rows(frames)
            count = len(whole) // rows
            for number in range(count):
                indices = np.arange(number * rows, (number + 1) * rows)
                full.append((frames, whole.take(indices)))
            self.waiting[bucket] = [whole.take(np.arange(count * rows, len(whole)))]
        for number in random.permutation(len(full)):
            yield full[number]

    def rest(self) -> Iterator[tuple[int, Draws]]:
        """Yield what waits, in batches that are not full."""
        for bucket, parts in self.waiting.items():
            whole = Draws.join(parts)
            if len(whole):
                yield BUCKETS[bucket], whole
        self.waiting.clear()
