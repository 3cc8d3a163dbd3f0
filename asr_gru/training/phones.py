"""Frame-wise targets beside CTC: which phone is spoken when, where that is known.

CTC has to find out by itself where in an utterance each token lies, and spends its first passes
on that. Where an aligner has found the times of phones, a second head on a lower layer learns to
name the phone of every frame, which teaches the layers below it from the first step on
(hierarchical multitask learning: Fernández et al. 2007, Krishna et al. 2018). The head is part of
training only; it is not exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr_gru.errors import DataError

__all__ = ["UNKNOWN", "PhoneHead", "PhoneTimes", "frame_phones", "read_phones", "stack_phones"]

UNKNOWN = -100
"""Stands for a frame whose phone is not known; it is not learnt from."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PhoneTimes:
    """The phones of utterances.

    Attributes:
        names: the inventory; an id is a place in it.
        spoken: for a recording, ids and the seconds in which they end.
    """

    names: tuple[str, ...]
    spoken: Mapping[Path, tuple[Ids, npt.NDArray[np.float64]]]


def read_phones(path: Path, folders: Iterable[Path]) -> PhoneTimes:
    """Read a file of phones: ``path``, a tab, ``SIL 0.16 HH 0.21 ...`` (phone, second of its end).

    Args:
        path: the file; its first line is a header, and a recording without phones is allowed.
        folders: what its paths may be relative to.

    Raises:
        DataError: not there, or a line that is not of this form, or no phones at all.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a file of phones") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8; give a file of phones") from None
    parsed: dict[str, tuple[list[str], npt.NDArray[np.float64]]] = {}
    for number, line in enumerate(lines, start=2):
        name, _, text = line.partition("\t")
        phones, times = text.split()[::2], text.split()[1::2]
        try:
            ends = np.array([float(time) for time in times])
        except ValueError:
            ends = np.array([np.nan])
        if len(phones) != len(ends) or not np.all(np.diff(ends, prepend=0.0) >= 0):
            raise DataError(f"{path}: line {number}: write phones as 'SIL 0.16 HH 0.21', rising")
        if phones:
            parsed[name] = (phones, ends)
    names = sorted({phone for phones, _ in parsed.values() for phone in phones})
    if not names:
        raise DataError(f"{path}: no phones in it; align the training set first")
    ids = {name: number for number, name in enumerate(names)}
    spoken = {
        folder / name: (np.array([ids[phone] for phone in phones], np.int64), ends)
        for folder in folders
        for name, (phones, ends) in parsed.items()
    }
    return PhoneTimes(tuple(names), spoken)


def frame_phones(
    phones: tuple[Ids, npt.NDArray[np.float64]],
    frames: int,
    frame_s: float,
    delay_s: float,
    stretch: float = 1.0,
) -> Ids:
    """Return the phone that each of ``frames`` output frames has to name, ``(frames,)``.

    Args:
        phones: ids and ends in seconds.
        frames: output frames of the utterance.
        frame_s: seconds a frame.
        delay_s: how long after its middle a frame is named; the network hears that much further.
        stretch: what a change of speed did to the utterance's length.
    """
    ids, ends = phones
    middles = (np.arange(frames) + 0.5) * frame_s - delay_s
    spoken = np.searchsorted(ends * stretch, middles, side="right")
    return np.append(ids, UNKNOWN)[spoken]


class PhoneHead(nn.Module):
    """Names the phone of each frame from a hidden layer of the encoder; see ``Encoder.encode``."""

    def __init__(self, width: int, phones: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, phones)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return a score per phone, ``(batch, frames, phones)``."""
        scores: Tensor = self.linear(hidden).float()
        return scores

    def loss(self, hidden: Tensor, phones: Tensor) -> Tensor:
        """Return the mean cross-entropy in nats per frame.

        Args:
            hidden: ``(batch, frames, width)``.
            phones: ``(batch, frames)``, ``UNKNOWN`` where nothing is asked.
        """
        scores = self(hidden)
        known = (phones != UNKNOWN).sum().clamp(min=1)
        lost = F.cross_entropy(
            scores.reshape(-1, scores.shape[-1]),
            phones.reshape(-1),
            ignore_index=UNKNOWN,
            reduction="sum",
        )
        return lost / known


def stack_phones(rows: list[Ids | None], frames: Tensor) -> Tensor:
    """Pad rows to ``(batch, frames)``; a row without phones is unknown throughout."""
    stacked = torch.full((len(rows), int(frames.max())), UNKNOWN)
    for place, row in enumerate(rows):
        if row is not None:
            heard = row[: int(frames[place])]
            stacked[place, : len(heard)] = torch.from_numpy(heard)
    return stacked
