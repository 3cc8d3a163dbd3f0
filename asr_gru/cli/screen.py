"""Display of a live session, in a terminal or a pipe."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from asr_gru.live import Status
from asr_gru.results import Event

__all__ = ["Pipe", "Screen", "Terminal", "clock"]

DIM, UNDERLINED, YELLOW, PLAIN = "\x1b[2m", "\x1b[4m", "\x1b[33m", "\x1b[0m"
UNSURE = 0.5
"""Words of lower confidence are underlined."""
METER = 10
METER_FROM_DB = -60.0
MUTE_S = 5.0
"""Seconds of digital silence before a warning is shown."""


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
            self._out.write(f"{event.text}\n")
            self._out.flush()

    def note(self, text: str) -> None:
        """Print a note."""
        self._err.write(f"asr-gru: {text}\n")
        self._err.flush()

    def status(self, status: Status | None) -> None:
        """Print nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word and its style."""

    text: str
    style: str = ""


class Terminal:
    """Finals scroll up; the open segment and a status line below them are redrawn in place.

    Lines are wrapped between words and never reach the last column, so that the terminal does not
    wrap them. If the window was made narrower, the rows that it wrapped are accounted for.
    """

    def __init__(self, out: TextIO) -> None:
        from rich.cells import cell_len

        self._out = out
        self._cells = cell_len
        self._open: list[_Piece] = []
        self._status = ""
        self._drawn: list[int] = []
        self._mute_since_s: float | None = None

    def event(self, event: Event) -> None:
        """Draw a partial in place, or print a final above the open segment."""
        settled = len(event.stable.split())
        pieces = [_Piece(f"[{clock(event.start_s)}]", DIM)]
        for index, word in enumerate(event.words):
            style = "" if index < settled else DIM
            style += UNDERLINED if event.kind == "final" and word.confidence < UNSURE else ""
            pieces.append(_Piece(word.text, style))
        if event.kind == "final":
            self._open = []
            self._draw(self._wrapped(pieces))
        else:
            self._open = pieces
            self._draw([])

    def note(self, text: str) -> None:
        """Print a note above the open segment."""
        self._draw(self._wrapped([_Piece(word, YELLOW) for word in text.split()]))

    def status(self, status: Status | None) -> None:
        """Redraw the status line."""
        line = self._status_line(status) if status else "waiting for the microphone"
        if line != self._status:
            self._status = line
            self._draw([])

    def close(self) -> None:
        """Print the open segment as it is and remove the status line."""
        above = self._wrapped(self._open) if self._open else []
        self._open, self._status = [], ""
        self._draw(above)

    def _status_line(self, status: Status) -> str:
        filled = round((status.level_db / METER_FROM_DB - 1) * -METER)
        bar = "#" * min(max(filled, 0), METER)
        if status.level_db > -119:
            self._mute_since_s = None
        elif self._mute_since_s is None:
            self._mute_since_s = status.audio_s
        parts = [
            f"[{bar:-<{METER}}]",
            clock(status.audio_s)[:-2],
            f"load {100 * status.load:.0f} %",
            f"lag {status.lag_s:.1f} s",
            f"{status.level_db:.0f} dB",
        ]
        if self._mute_since_s is not None and status.audio_s - self._mute_since_s >= MUTE_S:
            parts.insert(1, "digital silence: muted, or no permission?")
        line = parts[0]
        for part in parts[1:]:
            if len(line) + 2 + len(part) > self._columns() - 1:
                break
            line += "  " + part
        return line

    def _columns(self) -> int:
        return max(10, shutil.get_terminal_size().columns)

    def _wrapped(self, pieces: Sequence[_Piece]) -> list[tuple[str, int]]:
        """Wrap pieces to lines and their widths, with a hanging indent after the first piece."""
        width = self._columns() - 1
        indent = self._cells(pieces[0].text) + 1 if width >= 60 and pieces[0].style == DIM else 0
        lines: list[tuple[str, int]] = []
        line, used, space = "", 0, ""
        for piece in self._chopped(pieces, width - indent):
            cells = self._cells(piece.text)
            if space and used + 1 + cells > width:
                lines.append((line, used))
                line, used, space = " " * indent, indent, ""
            line += space + (f"{piece.style}{piece.text}{PLAIN}" if piece.style else piece.text)
            used += len(space) + cells
            space = " "
        return [*lines, (line, used)]

    def _chopped(self, pieces: Sequence[_Piece], width: int) -> list[_Piece]:
        """Split words that are longer than a line."""
        chopped: list[_Piece] = []
        for piece in pieces:
            text = "".join(letter for letter in piece.text if letter.isprintable())
            while self._cells(text) > width:
                count = next(n for n in range(len(text), 0, -1) if self._cells(text[:n]) <= width)
                chopped.append(_Piece(text[:count], piece.style))
                text = text[count:]
            chopped.append(_Piece(text, piece.style))
        return chopped

    def _draw(self, above: Sequence[tuple[str, int]]) -> None:
        """Replace the drawn lines by ``above``, which scrolls, and the open segment."""
        size = shutil.get_terminal_size()
        lines = self._wrapped(self._open) if self._open else []
        if self._status:
            status = self._status[: self._columns() - 1]
            lines.append((f"{DIM}{status}{PLAIN}", len(status)))
        lines = lines[-max(1, size.lines - 1) :]
        columns = self._columns()
        rows = sum(max(1, -(-cells // columns)) for cells in self._drawn)
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        text = "".join(f"{line}\x1b[K\n" for line, _ in above)
        text += "\x1b[K\n".join(line for line, _ in lines)
        self._out.write(f"\r{up}{text}\x1b[J")
        self._out.flush()
        self._drawn = [cells for _, cells in lines]


def clock(seconds: float) -> str:
    """Return ``mm:ss.s``, or ``h:mm:ss.s`` from an hour on."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02}" if hours else f"{minutes:02}"
    return f"{start}:{rest // 10:02}.{rest % 10}"
