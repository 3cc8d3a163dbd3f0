"""Progress bar of a transcription, in seconds of audio."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asr_gru.cli.terminal import DELAY_S, is_drawn_on, start_bar
from asr_gru.cli.workers import Finished
from asr_gru.files import readable_name
from asr_gru.streaming.recordings import Update

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["AudioProgress", "hours"]


class AudioProgress:
    """Progress bar on standard error, if it is a terminal; other output is printed above it.

    Recordings are weighted by the size of their files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._sizes = [_size(path) for path in paths]
        self._fractions: dict[int, float] = {}
        self._audio_s: dict[int, float] = {}
        self._duration_s: float | None = None
        self._finished = 0
        self._started_s = time.monotonic()
        self._is_shown = is_drawn_on(sys.stderr)
        self._bar: Progress | None = None

    def __enter__(self) -> AudioProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def update(self, message: Update | Finished) -> None:
        """Update the bar with the progress or the end of a recording."""
        if not self._is_shown:
            return
        if isinstance(message, Finished):
            self._finished += 1
            self._fractions[message.index] = 1.0
        else:
            self._audio_s[message.index] = message.audio_s
            self._duration_s = message.duration_s
            if message.duration_s:
                self._fractions[message.index] = min(1.0, message.audio_s / message.duration_s)
        self._draw(message.index)

    def write(self, text: str, *, err: bool = False) -> None:
        """Write to standard output, or standard error."""
        file = sys.stderr if err else sys.stdout
        if self._bar is not None and file.isatty():
            self._bar.console.print(text, end="", soft_wrap=True, markup=False, highlight=False)
        else:
            file.write(text)
            file.flush()

    def _draw(self, index: int) -> None:
        elapsed_s = time.monotonic() - self._started_s
        if elapsed_s < DELAY_S:
            return
        audio_s = sum(self._audio_s.values())
        details = f"{hours(audio_s)} of audio"
        if len(self._paths) == 1 and self._duration_s:
            details = f"{hours(audio_s)} of {hours(self._duration_s)}"
        total = sum(self._sizes)
        done = sum(self._sizes[i] * fraction for i, fraction in self._fractions.items()) / total
        count = f"{self._finished}/{len(self._paths)} " * (len(self._paths) > 1)
        name = readable_name(self._paths[index].name)
        details += f", {audio_s / elapsed_s:.0f}x real time"
        if self._bar is None:
            self._bar = start_bar(1.0)
        self._bar.update(self._bar.task_ids[0], completed=done, details=details, name=count + name)


def _size(path: Path) -> int:
    try:
        return max(1, path.stat().st_size)
    except OSError:
        return 1


def hours(seconds: float) -> str:
    """Return ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
