"""The interface of audio decoders, and the one over libsndfile."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asr_gru.audio.containers import Part, SplicedFile
from asr_gru.audio.samples import Samples

__all__ = ["DamagedError", "Reader", "SoundFileReader"]

OGG_SLACK_S = 0.1
"""Seconds by which the last page of a complete Ogg file may exceed what is decoded."""
SALVAGE_FRAMES = 240
"""Frames per read near damage, as a failed read also loses the good frames before it."""


class DamagedError(Exception):
    """Part of a file cannot be decoded; the message gives the reason and a remedy."""


class Reader(Protocol):
    """Decodes one stream of audio."""

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels."""
        ...

    @property
    def frames(self) -> int | None:
        """Declared samples per channel, or None."""
        ...

    @property
    def duration_s(self) -> float | None:
        """Declared duration in seconds, or None."""
        ...

    def read(self, count: int) -> Samples:
        """Return up to ``count`` frames ``(n, channels)``; none at the end.

        Raises:
            DamagedError: the data here cannot be decoded.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class SoundFileReader:
    """A ``Reader`` over libsndfile.

    Args:
        path: the file.
        parts: if given, decode these, concatenated, instead of the whole file.

    Raises:
        soundfile.LibsndfileError: libsndfile does not know the format.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, parts: tuple[Part, ...] = ()) -> None:
        self._path, self._parts = path, parts
        self._position = 0
        self._near_damage = False
        self._open()
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self._is_ogg = self._file.format == "OGG"
        frames = int(self._file.frames)
        self.frames = frames if 0 <= frames < 2**62 else None

    @property
    def min_frames(self) -> int | None:
        """Frames below which the file is truncated, or None if ``frames`` is an estimate."""
        if self.frames is None or str(self._file.subtype).startswith("MPEG_LAYER"):
            return None
        return self.frames - (round(OGG_SLACK_S * self.sample_rate) if self._is_ogg else 0)

    @property
    def duration_s(self) -> float | None:
        """Declared duration in seconds, or None."""
        return None if self.frames is None else self.frames / self.sample_rate

    def read(self, count: int) -> Samples:
        """Return the next frames; see ``Reader.read``."""
        while True:
            size = min(count, SALVAGE_FRAMES) if self._near_damage else count
            try:
                block: Samples = self._file.read(size, dtype="float32", always_2d=True)
            except RuntimeError as error:
                if not self._near_damage:
                    self._near_damage = True
                    self._reopen()
                    continue
                if self._position and self.frames is None:  # how a FLAC of unknown length ends
                    return np.zeros((0, self.channels), np.float32)
                raise DamagedError(f"cannot be decoded ({error}); convert it to WAV") from None
            self._position += len(block)
            return block

    def skip(self, count: int) -> bool:
        """Skip ``count`` frames that cannot be decoded; return whether any are left."""
        target = self._position + count
        if self.frames is None or target >= self.frames:
            return False
        self.close()
        self._open()
        with contextlib.suppress(RuntimeError):
            self._file.seek(target)
        self._position, self._near_damage = target, False
        return True

    def seek(self, frame: int) -> bool:
        """Go on from ``frame``, before anything was read; return whether that is possible."""
        # MP3 is not sought, as libsndfile lands elsewhere.
        if self.frames is None or frame > self.frames or self._file.format == "MP3":
            return False
        try:
            found = int(self._file.seek(frame))
        except RuntimeError:
            found = -1
        if found != frame:
            self.close()
            self._open()
            return False
        self._position = frame
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._close_source()

    def _open(self) -> None:
        import soundfile

        # by descriptor, as soundfile cannot encode every name and infers a format from ".raw"
        self._source: SplicedFile | int = (
            SplicedFile(self._path, self._parts)
            if self._parts
            else os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        )
        try:
            self._file: Any = soundfile.SoundFile(self._source, closefd=False)
        except BaseException:
            self._close_source()
            raise

    def _close_source(self) -> None:
        if isinstance(self._source, SplicedFile):
            self._source.close()
        elif self._source >= 0:
            os.close(self._source)
            self._source = -1

    def _reopen(self) -> None:
        self.close()
        self._open()
        skipped = 0
        with contextlib.suppress(RuntimeError):  # the next read fails again
            while skipped < self._position:
                size = min(self._position - skipped, 1 << 16)
                skipped += len(self._file.read(size, dtype="float32")) or size
