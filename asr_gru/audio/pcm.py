"""Raw PCM from files and pipes, and WAV from pipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from asr_gru.audio.g711 import decode_alaw, decode_ulaw
from asr_gru.audio.samples import MAX_CHANNELS, Samples, check_rate
from asr_gru.errors import ConfigError, did_you_mean

__all__ = ["ENCODINGS", "WAV_MAGIC", "PcmReader", "RawAudio", "wav_reader"]

STREAMED = 0x7FFFFF00
"""Sizes from here up, and 0, mean "unknown" in what is written to a pipe."""
MAX_HEADER_BYTES = 1 << 16
WAV_MAGIC = {b"RIFF", b"RF64"}
EXTENSIBLE = 0xFFFE


def _integers(dtype: str, scale: float) -> Callable[[bytes], Samples]:
    def decode(data: bytes) -> Samples:
        samples: Samples = np.frombuffer(data, dtype).astype(np.float32) / np.float32(scale)
        return samples

    return decode


def _decode_u8(data: bytes) -> Samples:
    samples: Samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    return samples


def _decode_s24(data: bytes) -> Samples:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    samples: Samples = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    return samples


def _decode_float(dtype: str) -> Callable[[bytes], Samples]:
    def decode(data: bytes) -> Samples:
        values: npt.NDArray[np.floating] = np.frombuffer(data, dtype)
        with np.errstate(over="ignore"):
            return values.astype(np.float32)

    return decode


ENCODINGS: Mapping[str, tuple[int, Callable[[bytes], Samples]]] = {
    "s16le": (2, _integers("<i2", 2**15)),
    "s16be": (2, _integers(">i2", 2**15)),
    "s24le": (3, _decode_s24),
    "s32le": (4, _integers("<i4", 2**31)),
    "f32le": (4, _decode_float("<f4")),
    "f64le": (8, _decode_float("<f8")),
    "u8": (1, _decode_u8),
    "mulaw": (1, decode_ulaw),
    "alaw": (1, decode_alaw),
}
"""Bytes per sample and decoder to float32, by ffmpeg's names."""
WAV_ENCODINGS = {
    (1, 8): "u8",
    (1, 16): "s16le",
    (1, 24): "s24le",
    (1, 32): "s32le",
    (3, 32): "f32le",
    (3, 64): "f64le",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
"""By format tag and bits per sample of a WAV header."""


@dataclass(frozen=True, slots=True)
class RawAudio:
    """Raw PCM: a file or pipe of samples without a header.

    Attributes:
        path: path of the file or pipe; a string is converted.
        sample_rate: sample rate in Hz.
        encoding: sample format, one of ``ENCODINGS``.
        channels: number of interleaved channels.

    Raises:
        AudioError: invalid sample rate.
        ConfigError: not a path, an unknown encoding, or an invalid number of channels.
    """

    path: Path
    sample_rate: int
    encoding: str = "s16le"
    channels: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | Path):
            raise ConfigError(f"raw audio is {str(self.path)[:40]!r}; give the path of a file")
        object.__setattr__(self, "path", Path(self.path))
        check_rate(self.sample_rate)
        if self.encoding not in ENCODINGS:
            raise ConfigError(
                f"unknown encoding {self.encoding!r}{did_you_mean(self.encoding, ENCODINGS)}; "
                f"use one of {', '.join(ENCODINGS)}"
            )
        if not isinstance(self.channels, int) or not 1 <= self.channels <= MAX_CHANNELS:
            raise ConfigError(f"{self.channels!r} channels; give 1 to {MAX_CHANNELS}")

    def __str__(self) -> str:
        return str(self.path)


class PcmReader:
    """A ``Reader`` of interleaved samples that never seeks, so that pipes are decoded live.

    Args:
        file: positioned at the first sample; closed with the reader.
        sample_rate: in Hz.
        channels: number of interleaved channels.
        encoding: one of ``ENCODINGS``.
        size: bytes of samples, or None to read to the end.
        head: bytes already read from ``file``.
    """

    def __init__(
        self,
        file: IO[bytes],
        sample_rate: int,
        channels: int,
        encoding: str,
        *,
        size: int | None = None,
        head: bytes = b"",
    ) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        width, self._decode = ENCODINGS[encoding]
        self._frame_bytes = width * channels
        self._file, self._head, self._remaining = file, head, size
        self.frames = None if size is None else size // self._frame_bytes
        self.is_truncated = False
        """Whether the last frame is incomplete, or fewer bytes came than declared."""

    @property
    def duration_s(self) -> float | None:
        """Declared duration in seconds, or None."""
        return None if self.frames is None else self.frames / self.sample_rate

    def read(self, count: int) -> Samples:
        """Return the next frames, blocking until they arrive; see ``Reader.read``."""
        wanted = count * self._frame_bytes
        if self._remaining is not None:
            wanted = min(wanted, self._remaining)
        data, self._head = self._head[:wanted], self._head[wanted:]
        while len(data) < wanted:
            piece = self._file.read(wanted - len(data))
            if not piece:
                break
            data += piece
        if self._remaining is not None:
            self._remaining -= len(data)
        whole = len(data) // self._frame_bytes * self._frame_bytes
        self.is_truncated |= len(data) < wanted and (bool(self._remaining) or whole < len(data))
        return self._decode(data[:whole]).reshape(-1, self.channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def wav_reader(file: IO[bytes], head: bytes) -> PcmReader | None:
    """Return a reader of WAV from a pipe, or None if the format needs a seekable file.

    Args:
        file: positioned after ``head``.
        head: the first bytes, at least up to the first sample.
    """
    if head[:4] not in WAV_MAGIC or head[8:12] != b"WAVE":
        return None
    position, fmt = 12, b""
    while position + 8 <= len(head):
        name = head[position : position + 4]
        size = int.from_bytes(head[position + 4 : position + 8], "little")
        position += 8
        if name == b"data":
            return _wav_data_reader(file, fmt, size, head[position:])
        if name == b"fmt ":
            fmt = head[position : position + size]
        position += size + (size & 1)
    return None


def _wav_data_reader(file: IO[bytes], fmt: bytes, size: int, head: bytes) -> PcmReader | None:
    if len(fmt) < 16:
        return None
    tag, channels = (int.from_bytes(fmt[at : at + 2], "little") for at in (0, 2))
    rate, bits = int.from_bytes(fmt[4:8], "little"), int.from_bytes(fmt[14:16], "little")
    if tag == EXTENSIBLE and len(fmt) >= 26:
        tag = int.from_bytes(fmt[24:26], "little")
    encoding = WAV_ENCODINGS.get((tag, bits))
    if encoding is None or not channels:
        return None
    data_size = size if 0 < size < STREAMED else None
    return PcmReader(file, rate, channels, encoding, size=data_size, head=head)
