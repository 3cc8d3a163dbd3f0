"""Times of phones, from a file of any aligner, and the target of each frame they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru.errors import DataError
from asr_gru.files import read_text

__all__ = ["IGNORE_INDEX", "Ids", "PhoneTimes", "frame_targets", "read_phone_times"]

IGNORE_INDEX = -100
"""Target of frames whose phone is unknown; they do not contribute to the loss."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PhoneTimes:
    """Time-aligned phones of recordings.

    Attributes:
        names: the phone inventory; phone ids are indices into it.
        times: phone ids and their end times in seconds, by recording, with absolute paths: a
            manifest may name a recording by either kind of path.
    """

    names: tuple[str, ...]
    times: Mapping[Path, tuple[Ids, npt.NDArray[np.float64]]]


def read_phone_times(path: Path, folders: Iterable[Path]) -> PhoneTimes:
    """Read a file of aligned phones: ``path``, a tab, ``SIL 0.16 HH 0.21 ...`` (phone, end time).

    Args:
        path: the file; its first line is a header, and recordings without phones are allowed.
        folders: folders that its paths may be relative to.

    Raises:
        DataError: the file is missing, malformed or has no phones at all.
    """
    lines = read_text(path, "give a file of phones").splitlines()[1:]
    parsed: dict[str, tuple[list[str], npt.NDArray[np.float64]]] = {}
    for number, line in enumerate(lines, start=2):
        name, _, text = line.partition("\t")
        phones, seconds = text.split()[::2], text.split()[1::2]
        try:
            ends = np.array([float(second) for second in seconds])
        except ValueError:
            ends = np.array([np.nan])
        if len(phones) != len(ends) or not np.all(np.diff(ends, prepend=0.0) >= 0):
            raise DataError(
                f"{path}: line {number}: write phones as 'SIL 0.16 HH 0.21', with increasing times"
            )
        if phones:
            parsed[name] = (phones, ends)
    names = sorted({phone for phones, _ in parsed.values() for phone in phones})
    if not names:
        raise DataError(f"{path}: no phones in it; align the training set first")
    ids = {name: index for index, name in enumerate(names)}
    times = {
        (folder / name).absolute(): (np.array([ids[phone] for phone in phones], np.int64), ends)
        for folder in folders
        for name, (phones, ends) in parsed.items()
    }
    return PhoneTimes(tuple(names), times)


def frame_targets(
    phones: tuple[Ids, npt.NDArray[np.float64]],
    frames: int,
    frame_s: float,
    delay_s: float,
    stretch: float = 1.0,
) -> Ids:
    """Return the target phone of each output frame, ``(frames,)``.

    Args:
        phones: phone ids and end times in seconds.
        frames: output frames of the utterance.
        frame_s: seconds per frame.
        delay_s: how far targets trail the audio, which gives the network that much look-ahead.
        stretch: factor by which augmentation changed the duration of the utterance.
    """
    ids, ends = phones
    middles = (np.arange(frames) + 0.5) * frame_s - delay_s
    current = np.searchsorted(ends * stretch, middles, side="right")
    return np.append(ids, IGNORE_INDEX)[current]
