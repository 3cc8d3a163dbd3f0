"""From manifests to the tensors of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asr_gru.audio import find_recordings
from asr_gru.data.manifest import Utterance, check_files, read_manifest
from asr_gru.decoding.alignment import frames_needed
from asr_gru.errors import DataError
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
from asr_gru.training.phones import PhoneTimes, frame_phones, stack_phones
from asr_gru.training.sampler import NOISE

__all__ = ["Batch", "Examples", "folder_corpus", "make_tokens", "read_utterances"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded samples ``(batch, n)``, output frames of each row, targets and their lengths.

    ``phones (batch, frames)`` is there when phones are learnt (``training/phones.py``).
    """

    samples: Tensor
    frames: Tensor
    targets: Tensor
    target_lengths: Tensor
    phones: Tensor | None = None


def read_utterances(manifests: Sequence[str], root: Path, data: DataConfig) -> list[Utterance]:
    """Read manifests and write their texts as the normaliser does."""
    found = [utterance for name in manifests for utterance in read_manifest(root / name)]
    check_files(found)
    return [
        Utterance(
            path=u.path,
            text=normalise(u.text, data.normaliser),
            duration_s=u.duration_s,
            speaker=u.speaker,
            source=u.source,
            written=u.written,
        )
        for u in found
    ]


def make_tokens(utterances: Sequence[Utterance], data: DataConfig) -> Tokenizer:
    """Derive characters or word pieces from the training texts, or list the phones of English."""
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
    """Pack every recording under ``folder`` (noise, rooms)."""
    paths = find_recordings([folder])
    nothing = [
        Utterance(path=p, text="", duration_s=0.0, speaker="", source="", written="") for p in paths
    ]
    corpus = pack_corpus(nothing, cache, sample_rate, on_progress)
    if not len(corpus):
        raise DataError(
            f"{next(iter(corpus.unreadable.values()))}; {folder} has no other recording"
        )
    return corpus


class Examples:
    """The training set: what is kept, what was left out and why, and batches by index.

    Attributes:
        kept: indices into the corpus.
        left_out: reason to count.
        aligned: how many of those kept have phones.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens: Tokenizer,
        config: TrainConfig,
        augmenter: Augmenter,
        phones: PhoneTimes | None = None,
        unpronounced: Mapping[Path, str] | None = None,
    ) -> None:
        self.corpus = corpus
        self.net: NetConfig = config.net
        self.augmenter = augmenter
        self.phones = phones
        self._delay_s = config.phones.delay_s
        self.targets: list[list[int]] = []
        self.kept: list[int] = []
        self.left_out: dict[str, int] = {}
        self.named: dict[str, str] = {}
        data = config.data
        for index, utterance in enumerate(corpus.utterances):
            target = tokens.encode(utterance.text)
            self.targets.append(target)
            duration_s = corpus.duration_s(index)
            frames = int(duration_s * self.net.frontend.sample_rate) // self.net.frame_samples
            if unpronounced and utterance.path in unpronounced:
                reason = "with a word that has no pronunciation"
            elif duration_s < data.shortest_s:
                reason = f"shorter than {data.shortest_s} s"
            elif duration_s > data.longest_s:
                reason = f"longer than {data.longest_s} s"
            elif frames_needed(target) > frames:
                reason = "text longer than its audio"
            else:
                self.kept.append(index)
                continue
            self.left_out[reason] = self.left_out.get(reason, 0) + 1
            self.named.setdefault(reason, utterance.path.name)
        if not self.kept:
            why = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
            raise DataError(
                f"no training utterance is left ({why or 'the manifests are empty'}); "
                "check data.train, data.shortest_s and data.longest_s"
            )
        self.aligned = 0
        if phones is not None:
            self.aligned = sum(corpus.utterances[i].path in phones.spoken for i in self.kept)
            if not self.aligned:
                raise DataError(
                    "phones.file: has none of the training recordings; "
                    "its paths have to be those of the manifest"
                )
        self.durations_s = np.array([corpus.duration_s(index) for index in self.kept])
        self.weights = [data.weights.get(corpus.utterances[i].source, 1.0) for i in self.kept]
        if not any(self.weights):
            raise DataError("data.weights is 0 for every source; give one of them a weight")

    def batch(self, indices: Sequence[int], seed: Sequence[int]) -> Batch:
        """Load and vary the utterances ``indices`` (into ``kept``; ``NOISE`` for noise alone)."""
        random = np.random.default_rng(list(seed))
        pieces: list[npt.NDArray[np.float32]] = []
        targets: list[list[int]] = []
        phones: list[npt.NDArray[np.int64] | None] = []
        for index in indices:
            if index == NOISE:
                length = int(random.uniform(1.5, 4.0) * self.net.frontend.sample_rate)
                gain = 10.0 ** (random.uniform(-50.0, -10.0) / 20.0)
                pieces.append(np.asarray(self.augmenter.noise(length, random) * gain, np.float32))
                targets.append([])
                phones.append(None)
                continue
            target = self.targets[self.kept[index]]
            clean = self.corpus.samples(self.kept[index])
            varied = self.augmenter(clean, random, lambda: self._another(random))
            least = frames_needed(target) * self.net.frame_samples
            varied = varied if len(varied) >= least else clean
            phones.append(self._phones(index, len(varied), len(clean)))
            pieces.append(self._trimmed(varied, least, random))
            targets.append(target)
        batch = collate(pieces, targets, self.net)
        if self.phones is None:
            return batch
        return replace(batch, phones=stack_phones(phones, batch.frames))

    def _phones(self, index: int, varied: int, clean: int) -> npt.NDArray[np.int64] | None:
        if self.phones is None:
            return None
        spoken = self.phones.spoken.get(self.corpus.utterances[self.kept[index]].path)
        if spoken is None:
            return None
        net = self.net
        return frame_phones(
            spoken,
            varied // net.frame_samples,
            net.frame_samples / net.frontend.sample_rate,
            self._delay_s,
            varied / max(1, clean),
        )

    def _trimmed(
        self, samples: npt.NDArray[np.float32], least: int, random: np.random.Generator
    ) -> npt.NDArray[np.float32]:
        most_s = self.augmenter.config.trim_tail_s
        if not most_s:
            return samples
        cut = int(random.uniform(0.0, most_s) * self.net.frontend.sample_rate)
        return samples[: len(samples) - cut] if len(samples) - cut >= least else samples

    def _another(self, random: np.random.Generator) -> npt.NDArray[np.float32]:
        return self.corpus.samples(self.kept[int(random.integers(len(self.kept)))])


def collate(
    pieces: Sequence[npt.NDArray[np.float32]], targets: Sequence[Sequence[int]], net: NetConfig
) -> Batch:
    """Pad to whole frames and to the longest, as the end of a stream does."""
    frame = net.frame_samples
    frames = [-(-len(piece) // frame) + net.encoder.delay for piece in pieces]
    samples = torch.zeros(len(pieces), max(frames) * frame)
    for row, piece in enumerate(pieces):
        samples[row, : len(piece)] = torch.from_numpy(piece)
    return Batch(
        samples=samples,
        frames=torch.tensor(frames),
        targets=torch.tensor([token for target in targets for token in target], dtype=torch.long),
        target_lengths=torch.tensor([len(target) for target in targets]),
    )
