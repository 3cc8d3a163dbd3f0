"""Display of a live session: what every display can do, and the one of a pipe."""

from __future__ import annotations

from typing import Protocol, TextIO

from asr_gru.live import Status
from asr_gru.results import Event

__all__ = ["Pipe", "Screen", "clock"]


class Screen(Protocol):
    """Display of a session."""

    def event(self, event: Event) -> None:
        """Show a partial or final result."""
        ...

    def note(self, text: str) -> None:
        """Show a message about the session."""
        ...

    def status(self, status: Status | None) -> None:
        """Show the status; None while the microphone is lost."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


class Pipe:
    """Writes finals to ``out``, one per line, and notes to ``err``."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def event(self, event: Event) -> None:
        """Print a final."""
        if event.kind == "final":
            self._out.write(f"{event.written or event.text}\n")
            self._out.flush()

    def note(self, text: str) -> None:
        """Print a note."""
        self._err.write(f"asr-gru: {text}\n")
        self._err.flush()

    def status(self, status: Status | None) -> None:
        """Print nothing."""

    def close(self) -> None:
        """Do nothing."""


def clock(seconds: float) -> str:
    """Return ``mm:ss.s``, or ``h:mm:ss.s`` from an hour on."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02}" if hours else f"{minutes:02}"
    return f"{start}:{rest // 10:02}.{rest % 10}"
