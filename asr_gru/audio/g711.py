"""Decoders for the telephone codecs mu-law and A-law (ITU-T G.711)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["decode_alaw", "decode_ulaw"]

Samples = npt.NDArray[np.float32]


def _ulaw_table() -> Samples:
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent.astype(np.int32)) - 132
    signed = np.where(code & 128, -magnitude, magnitude)
    samples: Samples = signed.astype(np.float32) / np.float32(32768)
    return samples


def _alaw_table() -> Samples:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    linear = (mantissa << 4) + 8
    magnitude = np.where(exponent > 0, (linear + 256) << np.maximum(exponent - 1, 0), linear)
    signed = np.where(code & 128, magnitude, -magnitude)
    samples: Samples = signed.astype(np.float32) / np.float32(32768)
    return samples


ULAW, ALAW = _ulaw_table(), _alaw_table()


def decode_ulaw(data: bytes) -> Samples:
    """Decode mu-law bytes to samples in [-1, 1]."""
    return ULAW[np.frombuffer(data, np.uint8)]


def decode_alaw(data: bytes) -> Samples:
    """Decode A-law bytes to samples in [-1, 1]."""
    return ALAW[np.frombuffer(data, np.uint8)]
