"""A recording, played as if it were spoken now."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asr_gru.audio.blocks import AudioSource, Block
from asr_gru.audio.opening import open_recording
from asr_gru.audio.samples import Samples
from asr_gru.errors import DeviceError

__all__ = ["PacedRecording"]


class PacedRecording:
    """An ``AudioSource`` that gives a recording when its time has come.

    Time begins with the first ``read``. A reader that comes late gets what it missed without
    waiting.

    Args:
        path: any file that ``transcribe`` reads.
        speed: times real time; ``math.inf`` never waits.
        clock: in seconds, rising.
        sleep: waits for seconds of that clock.

    Raises:
        AudioError: what cannot be read as sound.
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
        self._recording = open_recording(path)
        self._blocks = self._recording.blocks(self.BLOCK_S)
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._began_s: float | None = None
        self._given = 0
        self._waiting: list[Samples] = []
        self._over = False

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self._recording.sample_rate

    @property
    def description(self) -> str:
        """The file."""
        return f"{self._recording.path}, {self.sample_rate} Hz"

    @property
    def warnings(self) -> list[str]:
        """What was wrong with the file but bearable; complete at its end."""
        return self._recording.warnings

    def read(self, timeout_s: float, least: int = 1) -> Block | None:
        """Return what is due, once that is ``least`` samples; see ``AudioSource.read``.

        Raises:
            EOFError: the recording is over, or closed.
            AudioError: it cannot be decoded any further.
        """
        if self._began_s is None:
            self._began_s = self._clock()
        while sum(map(len, self._waiting)) < least and not self._over:
            samples = next(self._blocks, None)
            if samples is None:
                self._over = True
            else:
                self._waiting.append(samples)
        if not self._waiting:
            raise EOFError
        count = sum(map(len, self._waiting))
        due_s = self._began_s + (self._given + count) / self.sample_rate / self._speed
        wait_s = due_s - self._clock()
        if wait_s > 0:
            self._sleep(min(wait_s, timeout_s))
            if wait_s > timeout_s:
                return None
        block = Block(np.concatenate(self._waiting), max(due_s, self._began_s))
        self._given += count
        self._waiting = []
        return block

    def close(self) -> None:
        """Close the file."""
        self._over = True
        self._waiting = []
        self._recording.close()

    def reopen(self) -> AudioSource:
        """Raise DeviceError: a recording cannot vanish."""
        raise DeviceError(f"{self._recording.path}: a recording is played once; open it again")
