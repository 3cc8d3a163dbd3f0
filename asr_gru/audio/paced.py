"""Playback of a recording at real-time speed, as a live source."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asr_gru.audio.blocks import AudioSource, Block
from asr_gru.audio.opening import is_pipe, open_recording
from asr_gru.audio.read_ahead import ReadAhead
from asr_gru.audio.samples import Samples
from asr_gru.errors import ConfigError, DeviceError, is_real

__all__ = ["PacedRecording"]


class PacedRecording:
    """An ``AudioSource`` that plays a recording in real time.

    Playback starts with the first ``read``. A reader that falls behind gets the audio it missed
    without waiting. A pipe is read on a thread of its own, so that ``read`` keeps to its timeout
    while no data come.

    Args:
        path: any recording that ``transcribe`` reads.
        speed: playback speed; 1 is real time, ``math.inf`` never waits.
        clock: monotonic clock in seconds.
        sleep: sleeps for a number of seconds of that clock.

    Raises:
        AudioError: the recording cannot be decoded.
        ConfigError: the speed is not above 0.
    """

    BLOCK_S = 0.02

    def __init__(
        self,
        path: str | Path,
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (is_real(speed) and speed > 0):
            raise ConfigError(f"a speed of {str(speed)[:40]}; give a number above 0")
        self._recording = open_recording(path)
        self._blocks = self._recording.blocks(self.BLOCK_S, prompt=True)
        self._ahead: ReadAhead | None = None
        if is_pipe(self._recording.path):
            self._ahead = ReadAhead(self._blocks, self._recording.close, clock)
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._started_s: float | None = None
        self._came_s = -math.inf
        self._delivered = 0
        self._waiting: list[Samples] = []
        self._at_end = False

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self._recording.sample_rate

    @property
    def description(self) -> str:
        """Path and sample rate."""
        return f"{self._recording.path}, {self.sample_rate} Hz"

    @property
    def warnings(self) -> list[str]:
        """Problems that did not stop decoding; complete at the end of the file."""
        return self._recording.warnings

    def read(self, timeout_s: float, min_samples: int = 1) -> Block | None:
        """Return the audio that is due, at least ``min_samples``; see ``AudioSource.read``.

        Raises:
            EOFError: the recording has ended, or is closed.
            AudioError: it cannot be decoded.
        """
        if self._started_s is None:
            self._started_s = self._clock()
        until_s = self._clock() + timeout_s
        while sum(map(len, self._waiting)) < min_samples and not self._at_end:
            if not self._take(until_s):
                return None
        if not self._waiting:
            raise EOFError
        count = sum(map(len, self._waiting))
        due_s = self._started_s + (self._delivered + count) / self.sample_rate / self._speed
        wait_s = due_s - self._clock()
        if wait_s > 0:
            self._sleep(min(wait_s, timeout_s))
            if wait_s > timeout_s:
                return None
        arrived_s = max(due_s, self._started_s, self._came_s)
        block = Block(np.concatenate(self._waiting), arrived_s)
        self._delivered += count
        self._waiting = []
        return block

    def _take(self, until_s: float) -> bool:
        """Take the next block or note the end; return False if no data come before ``until_s``."""
        if self._ahead is None:
            samples = next(self._blocks, None)
        else:
            try:
                taken = self._ahead.take(until_s - self._clock())
            except EOFError:
                samples = None
            else:
                if taken is None:
                    return False
                samples, self._came_s = taken
        if samples is None:
            self._at_end = True
        else:
            self._waiting.append(samples)
        return True

    def close(self) -> None:
        """Close the file."""
        self._at_end = True
        self._waiting = []
        if self._ahead is None:
            self._recording.close()
        else:
            self._ahead.close()

    def reopen(self) -> AudioSource:
        """Raise DeviceError: a recording is never lost."""
        raise DeviceError(
            f"{self._recording.path}: cannot be reopened; create another PacedRecording"
        )
