"""Stateful resampling: blocks in, blocks out, equal to resampling the whole at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from asr_gru.audio.samples import Samples, check_rate

__all__ = ["Resampler"]


class Resampler:
    """From one rate to another over soxr; equal rates pass through.

    The quality depends on the rates alone, so that recordings, clients and microphones give equal
    text: soxr's LQ downwards, which holds back 20 ms at 48 kHz (HQ: 37 ms) and costs no word
    errors, and HQ upwards, where LQ cuts off what little there is. ``benchmarks/resampling.py``
    prints both; see ``docs/architecture.md``.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self.from_rate = check_rate(from_rate)
        self.to_rate = check_rate(to_rate)
        self._stream: Any = None
        self._fed = 0
        self._given = 0
        if from_rate != to_rate:
            import soxr

            quality = "LQ" if from_rate > to_rate else "HQ"
            self._stream = soxr.ResampleStream(from_rate, to_rate, 1, "float32", quality)

    @property
    def lag_s(self) -> float:
        """Seconds of what was fed that have not come out yet."""
        return max(0.0, self._fed / self.from_rate - self._given / self.to_rate)

    def feed(self, samples: Samples) -> Samples:
        """Take mono samples at the first rate; return what is ready at the second."""
        return self._resample(samples, last=False)

    def finish(self) -> Samples:
        """Return what is still inside."""
        return self._resample(np.zeros(0, np.float32), last=True)

    def _resample(self, samples: Samples, *, last: bool) -> Samples:
        self._fed += len(samples)
        ready: Samples = samples
        if self._stream is not None:
            ready = self._stream.resample_chunk(samples, last=last)
        self._given += len(ready)
        return ready
