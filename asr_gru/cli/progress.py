"""How far a transcription is, on a terminal, measured in audio."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from asr_gru.cli.workers import Finished
from asr_gru.streaming.recordings import Update

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["AudioProgress", "hours"]

QUIET_S = 1.0
"""What takes no longer than this shows no bar."""


class AudioProgress:
    """A bar on standard error, if that is a terminal; text printed meanwhile goes above it.

    A recording counts as much as its file is large, and as far as its audio has been recognised.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._sizes = [_size(path) for path in paths]
        self._shares: dict[int, float] = {}
        self._audio_s: dict[int, float] = {}
        self._duration_s: float | None = None
        self._finished = 0
        self._began_s = time.monotonic()
        self._is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bar: Progress | None = None

    def __enter__(self) -> AudioProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def update(self, message: Update | Finished) -> None:
        """Take how far a recording is, or its end."""
        if not self._is_shown:
            return
        if isinstance(message, Finished):
            self._finished += 1
            self._shares[message.index] = 1.0
        else:
            self._audio_s[message.index] = message.audio_s
            self._duration_s = message.duration_s
            if message.duration_s:
                self._shares[message.index] = min(1.0, message.audio_s / message.duration_s)
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
        spent_s = time.monotonic() - self._began_s
        if spent_s < QUIET_S:
            return
        audio_s = sum(self._audio_s.values())
        told = f"{hours(audio_s)} of audio"
        if len(self._paths) == 1 and self._duration_s:
            told = f"{hours(audio_s)} of {hours(self._duration_s)}"
        whole = sum(self._sizes)
        done = sum(self._sizes[i] * share for i, share in self._shares.items()) / whole
        count = f"{self._finished}/{len(self._paths)} " * (len(self._paths) > 1)
        name = os.fsencode(self._paths[index].name).decode(errors="replace")
        told += f", {audio_s / spent_s:.0f} times real time"
        if self._bar is None:
            self._bar = self._start()
        self._bar.update(self._bar.task_ids[0], completed=done, told=told, name=count + name)

    def _start(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        bar = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}", markup=False),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.add_task("", total=1.0, name="", told="")
        bar.start()
        return bar


def _size(path: Path) -> int:
    try:
        return max(1, path.stat().st_size)
    except OSError:
        return 1


def hours(seconds: float) -> str:
    """Return ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
