"""WAV writer whose file is readable while it grows and survives a full disk."""

from __future__ import annotations

import struct
from pathlib import Path

from asr_gru.audio import Samples
from asr_gru.audio.samples import to_int16

__all__ = ["WavFile"]

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
MAX_FILE_BYTES = 2**32 - 1


class WavFile:
    """Writes 16-bit mono WAV without buffering.

    Attributes:
        samples: number of samples written.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.samples = 0
        self._rate = sample_rate
        self._file = path.open("wb", buffering=0)
        self._header_samples = -1
        try:
            self._write_header()
        except OSError:
            self._file.close()
            raise

    def append(self, samples: Samples) -> None:
        """Append samples in [-1, 1]; the header is updated after each second of audio.

        Raises:
            OSError: not all were written; ``samples`` counts those that were.
        """
        data = to_int16(samples).tobytes()
        begin, done = HEADER.size + 2 * self.samples, 0
        try:
            while done < len(data):
                self._file.seek(begin + done)
                done += self._file.write(data[done:]) or 0
        finally:
            self.samples += done // 2
        if self.samples - self._header_samples >= self._rate:
            self._write_header()

    def close(self) -> None:
        """Update the header and close the file, even if that fails."""
        try:
            if self.samples != self._header_samples:
                self._write_header()
        finally:
            self._file.close()

    def _write_header(self) -> None:
        size = min(2 * self.samples, MAX_FILE_BYTES - HEADER.size)
        format_chunk = (b"fmt ", 16, 1, 1, self._rate, 2 * self._rate, 2, 16)
        header = HEADER.pack(b"RIFF", HEADER.size - 8 + size, b"WAVE", *format_chunk, b"data", size)
        self._file.seek(0)
        if self._file.write(header) != len(header):
            raise OSError(28, "No space left on device")
        self._header_samples = self.samples
