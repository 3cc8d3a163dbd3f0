"""The training set: utterances of manifests, turned into the tensors of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asr_gru.audio import find_recordings
from asr_gru.data.manifest import Utterance, check_files, read_manifest
from asr_gru.decoding.alignment import frames_needed
from asr_gru.errors import AudioError, DataError, did_you_mean
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.model.net_config import NetConfig
from asr_gru.text import (
    PhoneTokenizer,
    Tokenizer,
    build_character_tokenizer,
    normalise,
    train_piece_tokenizer,
)
from asr_gru.training.audio_cache import Corpus, pack_corpus
from asr_gru.training.augment import Augmenter
from asr_gru.training.config import DataConfig, TrainConfig
from asr_gru.training.phone_times import PhoneTimes, frame_targets
from asr_gru.training.phones import pad_targets
from asr_gru.training.sampler import NOISE, NOISE_SECONDS
from asr_gru.training.shard_corpus import source_names, source_weights
from asr_gru.training.targets import UNPRONOUNCED, Targets

__all__ = ["Batch", "TrainingSet", "build_tokenizer", "folder_corpus", "read_utterances"]


@dataclass(frozen=True, slots=True)
class Batch:
    """A padded batch.

    Attributes:
        samples: ``(batch, n)``.
        frames: output frames of each row, ``(batch,)``.
        targets: token ids of all rows, concatenated.
        target_lengths: tokens of each row, ``(batch,)``.
        phones: frame-wise targets ``(batch, frames)`` (``training/phones.py``), or None.
    """

    samples: Tensor
    frames: Tensor
    targets: Tensor
    target_lengths: Tensor
    phones: Tensor | None = None


def read_utterances(manifests: Sequence[str], root: Path, data: DataConfig) -> list[Utterance]:
    """Read manifests and normalise their texts."""
    utterances = [utterance for name in manifests for utterance in read_manifest(root / name)]
    check_files(utterances)
    return [replace(u, text=normalise(u.text, data.normaliser)) for u in utterances]


def build_tokenizer(utterances: Sequence[Utterance], data: DataConfig) -> Tokenizer:
    """Build a tokenizer: characters or word pieces of the training texts, or the English phones."""
    if data.tokens == "phones":
        return PhoneTokenizer(ENGLISH_PHONES)
    texts = [utterance.text for utterance in utterances]
    return (
        build_character_tokenizer(texts)
        if data.tokens == "characters"
        else train_piece_tokenizer(texts, data.vocab_size)
    )


def folder_corpus(
    folder: Path, cache: Path, sample_rate: int, on_progress: Callable[[int], None] | None = None
) -> Corpus:
    """Return all recordings in ``folder`` as a corpus without texts (noise, impulse responses)."""
    paths = find_recordings([folder])
    utterances = [Utterance(path=path, text="") for path in paths]
    corpus = pack_corpus(utterances, cache, sample_rate, on_progress)
    if not len(corpus):
        raise DataError(
            f"{next(iter(corpus.unreadable.values()))}; {folder} holds no other recording"
        )
    return corpus


class TrainingSet:
    """The utterances of a corpus that are trained on.

    Attributes:
        kept: their indices into the corpus.
        durations_s: duration of each, before augmentation.
        weights: how often each is seen per epoch.
        left_out: number of utterances left out, by reason.
        left_out_example: name of one of them, by reason.
        with_phones: how many of those kept have frame-wise phones.
        unknown_sources: sources that have a weight and no utterance, with the name that may be
            meant.
        damaged: recordings that turned out to be unreadable during training, by path.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        config: TrainConfig,
        augmenter: Augmenter,
        phones: PhoneTimes | None = None,
        unpronounced: Mapping[Path, str] | None = None,
        targets: Targets | None = None,
    ) -> None:
        self.corpus = corpus
        self.net: NetConfig = config.net
        self.augmenter = augmenter
        self.phones = phones
        self._delay_s = config.phones.delay_s
        self._noise_only = config.data.noise_only
        self.left_out: dict[str, int] = {}
        self.left_out_example: dict[str, str] = {}
        self.unknown_sources: list[str] = []
        self.damaged: dict[Path, str] = {}
        data = config.data
        count = len(corpus.utterances)
        if targets is None:
            targets = Targets.encode(
                (
                    None if unpronounced and u.key in unpronounced else u.text
                    for u in corpus.utterances
                ),
                tokenizer,
            )
        self.targets = targets
        durations_s = np.array([corpus.duration_s(index) for index in range(count)])
        samples = (durations_s * self.net.frontend.sample_rate).astype(np.int64)
        left = np.ones(count, bool)
        for reason, mask in (
            ("with a word that has no pronunciation", targets.frames == UNPRONOUNCED),
            (f"shorter than {data.shortest_s} s", durations_s < data.shortest_s),
            (f"longer than {data.longest_s} s", durations_s > data.longest_s),
            ("text longer than its audio", targets.frames > samples // self.net.frame_samples),
        ):
            found = np.flatnonzero(left & mask)
            if len(found):
                self.left_out[reason] = len(found)
                example = corpus.utterances[int(found[0])]
                self.left_out_example[reason] = example.key.name
                left[found] = False
        self.kept: list[int] = np.flatnonzero(left).tolist()
        if not self.kept:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
            raise DataError(
                f"no training utterance is left ({reasons or 'the manifests are empty'}); "
                "check data.train, data.shortest_s and data.longest_s"
            )
        self.with_phones = 0
        if phones is not None:
            keys = (corpus.utterances[i].absolute_key for i in self.kept)
            self.with_phones = sum(key in phones.times for key in keys)
            if not self.with_phones:
                raise DataError(
                    "phones.file: contains none of the training recordings; "
                    "its paths must be those of the manifest"
                )
        self.durations_s = durations_s[left]
        self.weights = np.ones(len(self.kept))
        if data.weights:
            self.weights = source_weights(corpus, data.weights)[left]
            names = source_names(corpus)
            unknown = [name for name in data.weights if name not in names]
            self.unknown_sources = [f"{name!r}{did_you_mean(name, names)}" for name in unknown]
        if not self.weights.any():
            raise DataError("data.weights is 0 for every source; give one of them a weight")

    def audio_s(self, batches: Sequence[Sequence[int]]) -> float:
        """Return the seconds of recordings in batches, given as for ``batch``."""
        return float(sum(self.durations_s[i] for indices in batches for i in indices if i != NOISE))

    def name(self, index: int) -> str:
        """Return the path of an utterance, given as for ``batch``."""
        if index == NOISE:
            return "an utterance of noise alone"
        return str(self.corpus.utterances[self.kept[index]].key)

    def sequences(self) -> Iterator[list[int]]:
        """Yield the target of each utterance kept, and empty ones for noise alone."""
        for index in self.kept:
            yield self.targets[index]
        for _ in range(round(self._noise_only * len(self.kept))):
            yield []

    def batch(self, indices: Sequence[int], seed: Sequence[int]) -> Batch:
        """Load and augment utterances.

        Args:
            indices: positions in ``kept``, or ``NOISE`` for an utterance of noise alone.
            seed: seed of the augmentation.
        """
        random = np.random.default_rng(list(seed))
        samples: list[npt.NDArray[np.float32]] = []
        targets: list[list[int]] = []
        phones: list[npt.NDArray[np.int64] | None] = []
        for index in indices:
            clean = None if index == NOISE else self._samples(index)
            if clean is None:
                length = int(random.uniform(*NOISE_SECONDS) * self.net.frontend.sample_rate)
                gain = 10.0 ** (random.uniform(-50.0, -10.0) / 20.0)
                samples.append(np.asarray(self.augmenter.noise(length, random) * gain, np.float32))
                targets.append([])
                phones.append(None)
                continue
            target = self.targets[self.kept[index]]
            augmented = self.augmenter(clean, random, lambda: self._random_utterance(random))
            min_length = frames_needed(target) * self.net.frame_samples
            augmented = augmented if len(augmented) >= min_length else clean
            phones.append(self._phone_targets(index, len(augmented), len(clean)))
            samples.append(self._trim_tail(augmented, min_length, random))
            targets.append(target)
        batch = collate(samples, targets, self.net)
        if self.phones is None:
            return batch
        return replace(batch, phones=pad_targets(phones, batch.frames))

    def _phone_targets(
        self, index: int, augmented: int, clean: int
    ) -> npt.NDArray[np.int64] | None:
        if self.phones is None:
            return None
        times = self.phones.times.get(self.corpus.utterances[self.kept[index]].absolute_key)
        if times is None:
            return None
        net = self.net
        return frame_targets(
            times,
            augmented // net.frame_samples,
            net.frame_samples / net.frontend.sample_rate,
            self._delay_s,
            augmented / max(1, clean),
        )

    def _trim_tail(
        self, samples: npt.NDArray[np.float32], min_length: int, random: np.random.Generator
    ) -> npt.NDArray[np.float32]:
        max_s = self.augmenter.config.trim_tail_s
        if not max_s:
            return samples
        cut = int(random.uniform(0.0, max_s) * self.net.frontend.sample_rate)
        return samples[: len(samples) - cut] if len(samples) - cut >= min_length else samples

    def _random_utterance(self, random: np.random.Generator) -> npt.NDArray[np.float32]:
        samples = self._samples(int(random.integers(len(self.kept))))
        return np.zeros(self.net.frontend.sample_rate, np.float32) if samples is None else samples

    def _samples(self, index: int) -> npt.NDArray[np.float32] | None:
        """Return a clean utterance; one that is damaged counts as noise alone, and is listed.

        A recording in a shard may be cut off although its header is whole. If its text does not
        fit what is left of it, the CTC loss of the whole batch would be infinite.
        """
        try:
            samples = self.corpus.samples(self.kept[index])
        except AudioError as error:
            self.damaged[self.corpus.utterances[self.kept[index]].key] = str(error)
            return None
        if len(samples) // self.net.frame_samples < self.targets.frames[self.kept[index]]:
            key = self.corpus.utterances[self.kept[index]].key
            self.damaged[key] = f"{key}: is cut off before the end of its text; record it again"
            return None
        return samples


def collate(
    recordings: Sequence[npt.NDArray[np.float32]],
    targets: Sequence[Sequence[int]],
    net: NetConfig,
) -> Batch:
    """Pad recordings to whole frames and to the longest, as at the end of a stream."""
    frame = net.frame_samples
    frames = [-(-len(recording) // frame) + net.encoder.delay for recording in recordings]
    samples = torch.zeros(len(recordings), max(frames) * frame)
    for row, recording in enumerate(recordings):
        samples[row, : len(recording)] = torch.from_numpy(recording)
    return Batch(
        samples=samples,
        frames=torch.tensor(frames),
        targets=torch.tensor([token for target in targets for token in target], dtype=torch.long),
        target_lengths=torch.tensor([len(target) for target in targets]),
    )
