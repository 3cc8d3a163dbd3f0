"""The decoded parts: samples on the device, everything else in host memory."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recipes.en_small.gpu.decode import DECODED

__all__ = ["NOISE", "ROOM", "SPEECH", "VALIDATION", "Corpus", "Recordings"]

SPEECH, NOISE, ROOM, VALIDATION = 0, 1, 2, 3
"""Kinds of recordings; validation sets are numbered from ``VALIDATION`` on."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Recordings(NamedTuple):
    """One entry for each recording.

    Attributes:
        begins: first sample in the memory of the corpus.
        lengths: number of samples.
        firsts: first loud frame of 10 ms.
        lasts: last loud frame.
        levels: level of the quietest parts.
        kinds: ``SPEECH``, ``NOISE``, ``ROOM``, or ``VALIDATION`` and more.
        weights: how often it is seen per epoch.
        target_begins: first token in ``Corpus.targets``.
        target_lengths: number of tokens.
        frames_needed: fewest output frames that hold the tokens.
    """

    begins: Ints
    lengths: Ints
    firsts: Ints
    lasts: Ints
    levels: Floats
    kinds: Ints
    weights: Floats
    target_begins: Ints
    target_lengths: Ints
    frames_needed: Ints


class Corpus:
    """All parts decoded so far; more are added while training goes on.

    Attributes:
        samples: 16-bit samples of all recordings, one after the other, on the device.
        recordings: what is known of each recording.
        targets: tokens of all recordings.
        parts: number of parts loaded.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._folder, self._device = folder, device
        self._tables: list[Recordings] = []
        self.samples: Tensor = torch.zeros(0, dtype=torch.int16, device=device)
        self.targets: Ints = np.zeros(0, np.int64)
        self.parts = 0

    def refresh(self) -> bool:
        """Load the next parts that have been decoded; return whether there were any."""
        before = self.parts
        while (self._folder / f"part{self.parts}" / DECODED).exists():
            self._add(self._folder / f"part{self.parts}")
            self.parts += 1
        if self.parts == before:
            return False
        columns = zip(*self._tables, strict=True)
        self.recordings = Recordings._make(np.concatenate(column) for column in columns)
        return True

    def _add(self, part: Path) -> None:
        samples = torch.from_numpy(np.load(part / "samples.npy"))
        index, decoded = np.load(part / "index.npz"), np.load(part / DECODED)
        ends, target_ends = decoded["ends"], index["target_ends"]
        lengths, target_lengths = np.diff(ends, prepend=0), np.diff(target_ends, prepend=0)
        targets = index["targets"].astype(np.int64)
        table = Recordings(
            begins=ends - lengths + len(self.samples),
            lengths=lengths,
            firsts=decoded["firsts"].astype(np.int64),
            lasts=decoded["lasts"].astype(np.int64),
            levels=decoded["levels"],
            kinds=index["kinds"].astype(np.int64),
            weights=index["weights"],
            target_begins=target_ends - target_lengths + len(self.targets),
            target_lengths=target_lengths,
            frames_needed=index["frames_needed"],
        )
        heard = np.flatnonzero(lengths > 0)
        self._tables.append(Recordings._make(column[heard] for column in table))
        self.samples = torch.cat([self.samples, samples.to(self._device)])
        self.targets = np.concatenate([self.targets, targets])

    def of_kind(self, kind: int) -> Ints:
        """Return the indices of the recordings of a kind."""
        return np.flatnonzero(self.recordings.kinds == kind)

    def tokens(self, recordings: Ints) -> Ints:
        """Return the tokens of some recordings, one after the other; -1 has none."""
        table = self.recordings
        spans = [
            self.targets[table.target_begins[i] : table.target_begins[i] + table.target_lengths[i]]
            for i in recordings.tolist()
            if i >= 0
        ]
        return np.concatenate(spans) if spans else np.zeros(0, np.int64)
