"""A cache of decoded recordings: one memory-mapped file of 16-bit samples for all processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru.audio.samples import to_int16
from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance
from asr_gru.errors import AudioError
from asr_gru.files import replace_file, write_bytes
from asr_gru.training.ahead import map_ahead, usable_cpus

__all__ = ["Corpus", "pack_corpus"]

Samples = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]

DECODER_VERSION = 2
"""Increase it when decoding changes, so that caches of older versions are not used."""


class Corpus:
    """Utterances and their samples, read through a memory map.

    Raises:
        ValueError, OSError: the files are not whole.

    Attributes:
        utterances: the utterances that could be read.
        unreadable: the error for each of the others, by path.
        sample_rate: in Hz.
        bounds: offset of each utterance in the file of samples, ``(utterances + 1,)``.
    """

    def __init__(self, utterances: Sequence[Utterance], stem: Path, sample_rate: int) -> None:
        failed = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        reasons = {int(index): str(reason) for index, reason in failed.items()}
        self.utterances: Sequence[Utterance] = [
            u for index, u in enumerate(utterances) if index not in reasons
        ]
        self.unreadable = {utterances[index].key: reason for index, reason in reasons.items()}
        self.sample_rate = sample_rate
        self.bounds: npt.NDArray[np.int64] = np.load(stem.with_suffix(".npy"), allow_pickle=False)
        size = int(self.bounds[-1])
        path = stem.with_suffix(".i16")
        if len(self.bounds) != len(self.utterances) + 1 or path.stat().st_size != 2 * size:
            raise ValueError(f"{path}: of another length than its bounds say")
        self._samples = np.memmap(path, np.int16, "r") if size else np.empty(0)

    def __len__(self) -> int:
        return len(self.utterances)

    def samples(self, index: int) -> Samples:
        """Return utterance ``index`` as float32 in [-1, 1], shape ``(n,)``."""
        piece = self._samples[self.bounds[index] : self.bounds[index + 1]]
        return np.asarray(piece, np.float32) / 32768.0

    def duration_s(self, index: int) -> float:
        """Return the decoded length of utterance ``index`` in seconds."""
        return float(self.bounds[index + 1] - self.bounds[index]) / self.sample_rate


def pack_corpus(
    utterances: Sequence[Utterance],
    folder: Path,
    sample_rate: int,
    on_progress: Callable[[int], None] | None = None,
) -> Corpus:
    """Decode ``utterances`` into ``folder``, unless an earlier run already has.

    The cache key covers the resolved path, size and modification time of each recording, the
    times of segments, the sample rate and ``DECODER_VERSION``, so recordings that changed are
    decoded again and projects with equal relative paths share nothing. They are also decoded again
    if a file of the cache is missing or damaged. Recordings that cannot be read are left out and
    listed in ``Corpus.unreadable``.

    Raises:
        OSError: the folder cannot be written; names it.
    """
    digest = hashlib.sha256(f"{DECODER_VERSION} {sample_rate}".encode())
    for utterance in utterances:
        status = utterance.path.stat()
        entry = [str(utterance.path.resolve()), status.st_size, status.st_mtime_ns]
        if utterance.start_s is not None:
            entry += [utterance.start_s, utterance.duration_s]
        digest.update(json.dumps(entry).encode())
    stem = folder / digest.hexdigest()[:16]
    try:
        return Corpus(utterances, stem, sample_rate)
    except (OSError, ValueError, EOFError, AttributeError, IndexError):
        _decode(utterances, stem, sample_rate, on_progress)
    return Corpus(utterances, stem, sample_rate)


def _decode(
    utterances: Sequence[Utterance],
    stem: Path,
    sample_rate: int,
    on_progress: Callable[[int], None] | None,
) -> None:
    """Write ``.i16`` (samples), ``.json`` (unreadable recordings) and finally ``.npy`` (bounds)."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    bounds = [0]
    unreadable: dict[int, str] = {}

    def read(utterance: Utterance) -> Int16 | AudioError:
        try:
            samples = load_audio(utterance, sample_rate)
        except AudioError as error:
            return error
        return to_int16(samples)

    with replace_file(stem.with_suffix(".i16")) as file:
        for index, samples in enumerate(map_ahead(read, utterances, usable_cpus())):
            if isinstance(samples, AudioError):
                unreadable[index] = str(samples)
            else:
                file.write(samples.tobytes())
                bounds.append(bounds[-1] + len(samples))
            if on_progress is not None:
                on_progress(index + 1)
    write_bytes(stem.with_suffix(".json"), json.dumps(unreadable).encode())
    with replace_file(stem.with_suffix(".npy")) as file:
        np.save(file, np.array(bounds, np.int64))
