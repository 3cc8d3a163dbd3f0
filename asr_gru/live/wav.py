"""A WAV file that can be read at any time while it grows, and outlasts a full disk."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from asr_gru.audio import Samples

__all__ = ["WavFile"]

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
MOST = 2**32 - 1


class WavFile:
    """16 bits, mono. Nothing is buffered in this process.

    Attributes:
        samples: how many were written.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.samples = 0
        self._rate = sample_rate
        self._file = path.open("wb", buffering=0)
        self._described = -1
        try:
            self._describe()
        except OSError:
            self._file.close()
            raise

    def append(self, samples: Samples) -> None:
        """Write samples in [-1, 1]; the header follows after each second.

        Raises:
            OSError: not all could be written; ``samples`` counts those that were.
        """
        data = (np.clip(samples, -1.0, 1.0) * 32767).round().astype("<i2").tobytes()
        begin, done = HEADER.size + 2 * self.samples, 0
        try:
            while done < len(data):
                self._file.seek(begin + done)
                done += self._file.write(data[done:]) or 0
        finally:
            self.samples += done // 2
        if self.samples - self._described >= self._rate:
            self._describe()

    def close(self) -> None:
        """Write the header and close the file, even when that fails."""
        try:
            if self.samples != self._described:
                self._describe()
        finally:
            self._file.close()

    def _describe(self) -> None:
        size = min(2 * self.samples, MOST - HEADER.size)
        of_format = (b"fmt ", 16, 1, 1, self._rate, 2 * self._rate, 2, 16)
        header = HEADER.pack(b"RIFF", HEADER.size - 8 + size, b"WAVE", *of_format, b"data", size)
        self._file.seek(0)
        if self._file.write(header) != len(header):
            raise OSError(28, "No space left on device")
        self._described = self.samples
