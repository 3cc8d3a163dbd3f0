"""A trigram over the tokens of an acoustic model, usually phones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from asr_gru.errors import ModelError
from asr_gru.language.arrays import read_arrays, write_arrays

__all__ = ["BOUNDARY", "MAX_TOKENS", "TokenTrigram"]

BOUNDARY = 0
"""Index of the start and the end of an utterance; for the acoustic model, of blank."""
MAX_TOKENS = 128
"""Largest vocabulary with a trigram: its table has the third power of it."""
KIND = "trigram"
LEVELS = 255
History = tuple[int, int]


class TokenTrigram:
    """A trigram as a dense table, and a ``decoding.TokenModel``.

    Args:
        symbols: the tokens, the blank first.
        log_probs: ``(tokens, tokens, tokens)`` natural log-probabilities: of the last index after
            the first two. ``BOUNDARY`` stands for the start as a history and for the end as a
            prediction.
    """

    def __init__(self, symbols: Sequence[str], log_probs: npt.NDArray[np.float32]) -> None:
        assert log_probs.shape == (len(symbols),) * 3
        self.symbols = tuple(symbols)
        self.log_probs = log_probs

    @classmethod
    def estimate(cls, sequences: Iterable[Sequence[int]], symbols: Sequence[str]) -> Self:
        """Estimate an interpolated trigram with Witten-Bell smoothing (1991).

        Every token and the end have some probability after every history.

        Args:
            sequences: token ids from 1 on.
            symbols: the tokens, the blank first.
        """
        size = len(symbols)
        counts = np.zeros((size,) * 3)
        for sequence in sequences:
            ends = np.array([BOUNDARY, BOUNDARY, *sequence, BOUNDARY])
            np.add.at(counts, (ends[:-2], ends[1:-1], ends[2:]), 1.0)
        unigram = _smooth(counts.sum(axis=(0, 1)), np.full(size, 1.0 / size))
        bigram = _smooth(counts.sum(axis=0), unigram)
        return cls(symbols, np.log(_smooth(counts, bigram)).astype(np.float32))

    @classmethod
    def load(cls, path: Path, symbols: Sequence[str]) -> Self:
        """Load a file of ``save``.

        Raises:
            ModelError: the file cannot be read, is damaged, or has other tokens than ``symbols``.
        """
        meta, arrays = read_arrays(path, KIND)
        if meta.get("symbols") != list(symbols):
            raise ModelError(f"{path}: has other tokens than the model; export the model again")
        codes, lowest = arrays.get("log_probs"), meta.get("lowest")
        size = len(symbols)
        if (
            codes is None
            or codes.dtype != np.uint8
            or len(codes) != size**3
            or not isinstance(lowest, float)
            or not -1e4 < lowest < 0.0
        ):
            raise ModelError(f"{path}: damaged; export the model again")
        values = codes.astype(np.float32) * np.float32(-lowest / LEVELS) + np.float32(lowest)
        return cls(symbols, values.reshape((size,) * 3))

    def save(self, path: Path) -> None:
        """Write the trigram to a file, with log-probabilities of 8 bits."""
        lowest = min(float(self.log_probs.min()), -1.0)
        codes = np.rint((self.log_probs - lowest) * (LEVELS / -lowest)).astype(np.uint8)
        meta = {"symbols": self.symbols, "lowest": lowest}
        write_arrays(path, KIND, meta, {"log_probs": codes.ravel()})

    def start(self) -> History:
        """Return the state before the first token."""
        return BOUNDARY, BOUNDARY

    def score(self, state: History, token: int) -> tuple[float, History]:
        """Return the log-probability of ``token`` after ``state``, and the next state."""
        return self.log_probs.item(*state, token), (state[1], token)

    def end(self, state: History) -> float:
        """Return the log-probability that the utterance ends after ``state``."""
        return self.log_probs.item(*state, BOUNDARY)


def _smooth(
    counts: npt.NDArray[np.float64], lower: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Interpolate counts with the probabilities of the next lower order."""
    total = counts.sum(axis=-1, keepdims=True)
    kinds = np.maximum((counts > 0).sum(axis=-1, keepdims=True), 1)
    smoothed: npt.NDArray[np.float64] = (counts + kinds * lower) / (total + kinds)
    return smoothed
