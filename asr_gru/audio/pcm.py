"""Bare samples: files without a header, and WAV from a pipe, whose header comes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from asr_gru.audio.g711 import decode_alaw, decode_ulaw
from asr_gru.audio.samples import MOST_CHANNELS, Samples, check_rate
from asr_gru.errors import ConfigError, did_you_mean

__all__ = ["ENCODINGS", "WAV_MAGIC", "PcmReader", "RawAudio", "wav_reader"]

STREAMED = 0x7FFFFF00
"""Sizes from here on, and 0, stand for "not known" in what is written to a pipe."""
MOST_HEADER = 1 << 16
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
"""Bytes per sample, and how they become floats; named as ffmpeg names them."""
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
"""By the format tag and the bits per sample of a WAV header."""


@dataclass(frozen=True, slots=True)
class RawAudio:
    """A file, or a pipe, of samples without a header.

    Attributes:
        path: where it is.
        sample_rate: in Hz.
        encoding: of each sample, one of ``ENCODINGS``.
        channels: interleaved.

    Raises:
        AudioError: an impossible rate.
        ConfigError: an unknown encoding or an impossible number of channels.
    """

    path: Path
    sample_rate: int
    encoding: str = "s16le"
    channels: int = 1

    def __post_init__(self) -> None:
        check_rate(self.sample_rate)
        if self.encoding not in ENCODINGS:
            raise ConfigError(
                f"no encoding {self.encoding!r}{did_you_mean(self.encoding, ENCODINGS)}; "
                f"one of {', '.join(ENCODINGS)}"
            )
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise ConfigError(f"{self.channels} channels; give 1 to {MOST_CHANNELS}")

    def __str__(self) -> str:
        return str(self.path)


class PcmReader:
    """A ``Reader`` of interleaved samples; needs no seeking, so a pipe is read as it comes.

    Args:
        file: positioned at the first sample; closed with the reader.
        sample_rate: in Hz.
        channels: interleaved.
        encoding: one of ``ENCODINGS``.
        size: bytes of samples, or None for all that come.
        head: bytes that were read from ``file`` already.
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
        self._frame = width * channels
        self._file, self._head, self._left = file, head, size
        self.frames = None if size is None else size // self._frame
        self.is_cut = False
        """Whether the last frame was incomplete, or bytes that were announced did not come."""

    @property
    def duration_s(self) -> float | None:
        """Seconds that were announced, or None."""
        return None if self.frames is None else self.frames / self.sample_rate

    def read(self, count: int) -> Samples:
        """Return the next frames; waits for them. See ``Reader.read``."""
        wanted = count * self._frame
        if self._left is not None:
            wanted = min(wanted, self._left)
        data, self._head = self._head[:wanted], self._head[wanted:]
        while len(data) < wanted:
            piece = self._file.read(wanted - len(data))
            if not piece:
                break
            data += piece
        if self._left is not None:
            self._left -= len(data)
        whole = len(data) // self._frame * self._frame
        self.is_cut |= len(data) < wanted and (bool(self._left) or whole < len(data))
        return self._decode(data[:whole]).reshape(-1, self.channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def wav_reader(file: IO[bytes], head: bytes) -> PcmReader | None:
    """Return a reader of WAV that comes through a pipe, or None for what needs a whole file.

    Args:
        file: behind ``head``.
        head: the first bytes, up to the first samples or further.
    """
    if head[:4] not in WAV_MAGIC or head[8:12] != b"WAVE":
        return None
    position, form = 12, b""
    while position + 8 <= len(head):
        name = head[position : position + 4]
        size = int.from_bytes(head[position + 4 : position + 8], "little")
        position += 8
        if name == b"data":
            return _reader_of(file, form, size, head[position:])
        if name == b"fmt ":
            form = head[position : position + size]
        position += size + (size & 1)
    return None


def _reader_of(file: IO[bytes], form: bytes, size: int, head: bytes) -> PcmReader | None:
    if len(form) < 16:
        return None
    tag, channels = (int.from_bytes(form[at : at + 2], "little") for at in (0, 2))
    rate, bits = int.from_bytes(form[4:8], "little"), int.from_bytes(form[14:16], "little")
    if tag == EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    encoding = WAV_ENCODINGS.get((tag, bits))
    if encoding is None or not channels:
        return None
    known = size if 0 < size < STREAMED else None
    return PcmReader(file, rate, channels, encoding, size=known, head=head)
