"""Streaming resampler whose output equals that of resampling the whole signal at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from asr_gru.audio.samples import Samples, check_rate

__all__ = ["Resampler"]

HISTORY_S = 0.5
"""Seconds of input kept for copies, far longer than soxr's filters."""


class Resampler:
    """Streaming sample rate conversion with soxr; equal rates pass through.

    The quality depends on the rates alone, so that recordings, clients and microphones yield the
    same text: soxr's LQ for downsampling, whose delay is 20 ms at 48 kHz (HQ: 37 ms) at no cost
    in word errors, and HQ for upsampling, where LQ would narrow the band further.
    ``studies/resampling.py`` prints both; see ``docs/architecture.md``.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self.from_rate = check_rate(from_rate)
        self.to_rate = check_rate(to_rate)
        self._consumed = 0
        self._produced = 0
        self._history: list[Samples] = []
        self._pending = np.zeros(0, np.float32)
        self._stream = self._new_stream()

    @property
    def lag_s(self) -> float:
        """Seconds of audio that were fed but not returned yet."""
        return max(0.0, self._consumed / self.from_rate - self._produced / self.to_rate)

    def feed(self, samples: Samples) -> Samples:
        """Take mono samples at ``from_rate``; return those that are ready at ``to_rate``."""
        return self._resample(samples, last=False)

    def finish(self) -> Samples:
        """Flush the filter and return its last samples."""
        return self._resample(np.zeros(0, np.float32), last=True)

    def copy(self) -> Resampler:
        """Return an independent resampler in the same state.

        Their outputs differ only by rounding (below -120 dB), as the copy's filter is refilled
        with the last half second of input.
        """
        clone = object.__new__(Resampler)
        clone.__setstate__(self.__getstate__())
        return clone

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without that of soxr, which is not accessible."""
        state = {key: value for key, value in vars(self).items() if key != "_stream"}
        return {**state, "_history": list(self._history)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Refill soxr's filter with the last input, and drop output that was returned before."""
        vars(self).update(state)
        ahead, self._stream = self._pending, self._new_stream()
        if self._stream is not None:
            history = np.concatenate([np.zeros(0, np.float32), *self._history])
            begin = (self._consumed - len(history)) * self.to_rate // self.from_rate
            out = self._stream.resample_chunk(history)
            done = self._produced + len(ahead) - begin
            self._pending = np.concatenate((ahead, out[done:]))
            self._skip = max(0, done - len(out))

    def _new_stream(self) -> Any:
        self._skip = 0
        if self.from_rate == self.to_rate:
            return None
        import soxr

        quality = "LQ" if self.from_rate > self.to_rate else "HQ"
        return soxr.ResampleStream(self.from_rate, self.to_rate, 1, "float32", quality)

    def _resample(self, samples: Samples, *, last: bool) -> Samples:
        self._consumed += len(samples)
        ready: Samples = samples
        if self._stream is not None:
            self._update_history(samples)
            ready = self._stream.resample_chunk(samples, last=last)
            skipped = min(self._skip, len(ready))
            self._skip -= skipped
            ready = np.concatenate((self._pending, ready[skipped:]))
            self._pending = self._pending[:0]
        self._produced += len(ready)
        return ready

    def _update_history(self, samples: Samples) -> None:
        """Keep the last input, starting at a sample that coincides with an output sample."""
        self._history.append(samples)
        unit = self.from_rate // math.gcd(self.from_rate, self.to_rate)
        history = sum(map(len, self._history))
        max_history = max(round(HISTORY_S * self.from_rate), unit) + unit
        if history < 2 * max_history:
            return
        begin = self._consumed - max_history
        begin += -begin % unit
        joined = np.concatenate(self._history)
        self._history = [joined[len(joined) - (self._consumed - begin) :].copy()]
