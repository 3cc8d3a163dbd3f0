"""Recordings decoded once into one file of 16-bit samples that all training processes share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru.audio import read_recording
from asr_gru.data.manifest import Utterance

__all__ = ["Corpus", "pack_corpus"]

Samples = npt.NDArray[np.float32]


class Corpus:
    """Utterances and their samples, read through a memory map.

    Attributes:
        utterances: path, text, speaker, source of each.
        bounds: ``(utterances + 1,)``, where each begins in the file of samples.
    """

    def __init__(self, utterances: Sequence[Utterance], stem: Path, sample_rate: int) -> None:
        self.utterances = list(utterances)
        self.sample_rate = sample_rate
        self.bounds: npt.NDArray[np.int64] = np.load(stem.with_suffix(".npy"), allow_pickle=False)
        size = int(self.bounds[-1])
        self._samples = np.memmap(stem.with_suffix(".i16"), np.int16, "r") if size else np.empty(0)

    def __len__(self) -> int:
        return len(self.utterances)

    def samples(self, index: int) -> Samples:
        """Return utterance ``index`` as float32 in [-1, 1], shape ``(n,)``."""
        piece = self._samples[self.bounds[index] : self.bounds[index + 1]]
        return np.asarray(piece, np.float32) / 32768.0

    def duration_s(self, index: int) -> float:
        """Return the true length of utterance ``index`` in seconds."""
        return float(self.bounds[index + 1] - self.bounds[index]) / self.sample_rate


def pack_corpus(
    utterances: Sequence[Utterance],
    folder: Path,
    sample_rate: int,
    on_progress: Callable[[int], None] | None = None,
) -> Corpus:
    """Decode ``utterances`` into ``folder``, or find them there from an earlier run.

    The name of the file follows from the recordings' paths and sizes, so that a changed list is
    decoded anew and an unchanged one never is.
    """
    digest = hashlib.sha256(str(sample_rate).encode())
    for utterance in utterances:
        digest.update(f"{utterance.path}\t{utterance.path.stat().st_size}\n".encode())
    stem = folder / digest.hexdigest()[:16]
    if not stem.with_suffix(".npy").exists():
        _decode(utterances, stem, sample_rate, on_progress)
    return Corpus(utterances, stem, sample_rate)


def _decode(
    utterances: Sequence[Utterance],
    stem: Path,
    sample_rate: int,
    on_progress: Callable[[int], None] | None,
) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    bounds = np.zeros(len(utterances) + 1, np.int64)
    partial = stem.with_suffix(f".{os.getpid()}.partial")  # another run may decode the same
    with partial.open("wb") as file:
        for index, utterance in enumerate(utterances):
            samples = read_recording(utterance.path, sample_rate)
            file.write(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())
            bounds[index + 1] = bounds[index] + len(samples)
            if on_progress is not None:
                on_progress(index + 1)
    partial.replace(stem.with_suffix(".i16"))
    unfinished = stem.with_suffix(f".{os.getpid()}.partial.npy")
    np.save(unfinished, bounds)
    unfinished.replace(stem.with_suffix(".npy"))
