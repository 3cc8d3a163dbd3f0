"""Stateful resampling: blocks in, blocks out, equal to resampling the whole at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from asr_gru.audio.samples import Samples, check_rate

__all__ = ["Resampler"]

HISTORY_S = 0.5
"""Seconds of input kept for copies, far beyond the reach of soxr's filters."""


class Resampler:
    """From one rate to another over soxr; equal rates pass through.

    The quality depends on the rates alone, so that recordings, clients and microphones give equal
    text: soxr's LQ downwards, which holds back 20 ms at 48 kHz (HQ: 37 ms) and costs no word
    errors, and HQ upwards, where LQ cuts off what little there is. ``studies/resampling.py``
    prints both; see ``docs/architecture.md``.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self.from_rate = check_rate(from_rate)
        self.to_rate = check_rate(to_rate)
        self._fed = 0
        self._given = 0
        self._history: list[Samples] = []
        self._ahead = np.zeros(0, np.float32)
        self._stream = self._new_stream()

    @property
    def lag_s(self) -> float:
        """Seconds of audio that were fed and have not come out yet."""
        return max(0.0, self._fed / self.from_rate - self._given / self.to_rate)

    def feed(self, samples: Samples) -> Samples:
        """Take mono samples at the first rate; return what is ready at the second."""
        return self._resample(samples, last=False)

    def finish(self) -> Samples:
        """Return what the filter still holds."""
        return self._resample(np.zeros(0, np.float32), last=True)

    def copy(self) -> Resampler:
        """Return an independent resampler that goes on where this one is.

        Its output differs from this one's by rounding alone (below -120 dB): the filter is filled
        again from the last half second of input.
        """
        twin = object.__new__(Resampler)
        twin.__setstate__(self.__getstate__())
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but soxr's own state, which cannot be read."""
        state = {key: value for key, value in vars(self).items() if key != "_stream"}
        return {**state, "_history": list(self._history)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Fill soxr's filter again from the last input, and skip what came out already."""
        vars(self).update(state)
        ahead, self._stream = self._ahead, self._new_stream()
        if self._stream is not None:
            kept = np.concatenate([np.zeros(0, np.float32), *self._history])
            begin = (self._fed - len(kept)) * self.to_rate // self.from_rate
            out = self._stream.resample_chunk(kept)
            done = self._given + len(ahead) - begin
            self._ahead = np.concatenate((ahead, out[done:]))
            self._skip = max(0, done - len(out))

    def _new_stream(self) -> Any:
        self._skip = 0
        if self.from_rate == self.to_rate:
            return None
        import soxr

        quality = "LQ" if self.from_rate > self.to_rate else "HQ"
        return soxr.ResampleStream(self.from_rate, self.to_rate, 1, "float32", quality)

    def _resample(self, samples: Samples, *, last: bool) -> Samples:
        self._fed += len(samples)
        ready: Samples = samples
        if self._stream is not None:
            self._remember(samples)
            ready = self._stream.resample_chunk(samples, last=last)
            skipped = min(self._skip, len(ready))
            self._skip -= skipped
            ready = np.concatenate((self._ahead, ready[skipped:]))
            self._ahead = self._ahead[:0]
        self._given += len(ready)
        return ready

    def _remember(self, samples: Samples) -> None:
        """Keep the last input, from a sample on that falls together with one of the output."""
        self._history.append(samples)
        unit = self.from_rate // math.gcd(self.from_rate, self.to_rate)
        kept = sum(map(len, self._history))
        most = max(round(HISTORY_S * self.from_rate), unit) + unit
        if kept < 2 * most:
            return
        begin = self._fed - most
        begin += -begin % unit
        joined = np.concatenate(self._history)
        self._history = [joined[len(joined) - (self._fed - begin) :].copy()]
