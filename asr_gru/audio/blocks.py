"""Live audio: blocks, the protocol of their sources, and the queue between threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from asr_gru.audio.samples import Samples

__all__ = ["AudioSource", "Block", "BlockQueue"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of audio.

    Attributes:
        samples: mono, ``(n,)``.
        arrived_s: when the last sample arrived, in seconds of ``time.monotonic``.
        dropped: number of samples lost before these because they were not read in time.
    """

    samples: Samples
    arrived_s: float
    dropped: int = 0


class AudioSource(Protocol):
    """A source of live audio."""

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        ...

    @property
    def description(self) -> str:
        """Human-readable: what the source is and how it was opened."""
        ...

    def read(self, timeout_s: float, min_samples: int = 1) -> Block | None:
        """Return all audio since the last call, once there are ``min_samples``.

        Waits up to ``timeout_s`` for them, then returns None. If no more audio will come, returns
        what is left. Waking a reader costs more than its work, so ask for as many samples as can
        be used at once.

        Raises:
            EOFError: the source has ended, and all of its audio was returned.
            DeviceError: the source is lost, and all of its audio was returned.
            AudioError: the source cannot be decoded.
        """
        ...

    def close(self) -> None:
        """Stop recording; audio that has arrived can still be read."""
        ...

    def reopen(self) -> AudioSource:
        """Reopen a lost source and return it; DeviceError if it is not available yet."""
        ...


class BlockQueue:
    """Queue of arrays between threads that drops and counts the oldest when full.

    Args:
        capacity: maximum number of frames; one array is always kept.
        clock: in seconds.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._changed = threading.Condition()
        self._arrays: deque[npt.NDArray[Any]] = deque()
        self._buffered = 0
        self._min_samples = 1
        self._dropped = 0
        self._last_put_s = clock()

    @property
    def last_put_s(self) -> float:
        """When ``put`` was last called, or the queue created."""
        return self._last_put_s

    def put(self, samples: npt.NDArray[Any]) -> None:
        """Append a copy of ``samples (n, channels)``; takes microseconds."""
        copy = samples.copy()
        with self._changed:
            self._arrays.append(copy)
            self._buffered += len(copy)
            while self._buffered > self._capacity and len(self._arrays) > 1:
                lost = len(self._arrays.popleft())
                self._buffered -= lost
                self._dropped += lost
            self._last_put_s = self._clock()
            if self._buffered >= self._min_samples:
                self._changed.notify()

    def take(
        self, timeout_s: float, min_samples: int = 1
    ) -> tuple[npt.NDArray[Any], float, int] | None:
        """Remove and return all samples; None if fewer than ``min_samples`` after ``timeout_s``.

        Returns:
            Samples ``(n, channels)``, time of the last ``put``, and number of frames dropped
            before them.
        """
        with self._changed:
            self._min_samples = min(max(min_samples, 1), self._capacity)
            if self._buffered < self._min_samples and timeout_s > 0:
                self._changed.wait(timeout_s)
            if self._buffered < self._min_samples:
                return None
            arrays, dropped, last_put_s = list(self._arrays), self._dropped, self._last_put_s
            self._arrays.clear()
            self._buffered = self._dropped = 0
        return (arrays[0] if len(arrays) == 1 else np.concatenate(arrays)), last_put_s, dropped
