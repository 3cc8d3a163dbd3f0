"""Blocks of live sound, the sources they come from, and the queue between two threads."""

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
    """A piece of sound.

    Attributes:
        samples: mono, ``(n,)``.
        arrived_s: when its last sample arrived, by the clock of ``time.monotonic``.
        dropped: how many samples before these were lost because nobody read them in time.
    """

    samples: Samples
    arrived_s: float
    dropped: int = 0


class AudioSource(Protocol):
    """Where live sound comes from."""

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        ...

    @property
    def description(self) -> str:
        """What it is and how it was opened, for people."""
        ...

    def read(self, timeout_s: float, least: int = 1) -> Block | None:
        """Return all that has come since the last call, once that is ``least`` samples.

        Waits up to ``timeout_s`` for them, then returns None; when no more will come, it returns
        what there is. Waking a reader costs more than its work, so it had better ask for what it
        can use.

        Raises:
            EOFError: it is over, and all of it was returned.
            DeviceError: it is gone, and all that came was returned.
            AudioError: it cannot be read any further.
        """
        ...

    def close(self) -> None:
        """Listen no more; what has come can still be read."""
        ...

    def reopen(self) -> AudioSource:
        """Return the source again after it was gone; DeviceError when it is not back yet."""
        ...


class BlockQueue:
    """Arrays from one thread to another; when it is full, the oldest give way and are counted.

    Args:
        capacity: samples (of each channel) that are kept; one array is always kept.
        clock: in seconds.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._changed = threading.Condition()
        self._arrays: deque[npt.NDArray[Any]] = deque()
        self._waiting = 0
        self._wanted = 1
        self._dropped = 0
        self._last_s = clock()

    @property
    def last_s(self) -> float:
        """When the last array was put, or the queue made."""
        return self._last_s

    def put(self, samples: npt.NDArray[Any]) -> None:
        """Copy ``samples (n, channels)`` into the queue; takes microseconds, never waits long."""
        copy = samples.copy()
        with self._changed:
            self._arrays.append(copy)
            self._waiting += len(copy)
            while self._waiting > self._capacity and len(self._arrays) > 1:
                lost = len(self._arrays.popleft())
                self._waiting -= lost
                self._dropped += lost
            self._last_s = self._clock()
            if self._waiting >= self._wanted:
                self._changed.notify()

    def take(self, timeout_s: float, least: int = 1) -> tuple[npt.NDArray[Any], float, int] | None:
        """Return all there is, joined; None when after ``timeout_s`` it is not ``least`` samples.

        Returns:
            Samples ``(n, channels)``, when the last one was put, and how many were dropped
            before them.
        """
        with self._changed:
            self._wanted = min(max(least, 1), self._capacity)
            if self._waiting < self._wanted and timeout_s > 0:
                self._changed.wait(timeout_s)
            if self._waiting < self._wanted:
                return None
            arrays, dropped, last_s = list(self._arrays), self._dropped, self._last_s
            self._arrays.clear()
            self._waiting = self._dropped = 0
        return (arrays[0] if len(arrays) == 1 else np.concatenate(arrays)), last_s, dropped
