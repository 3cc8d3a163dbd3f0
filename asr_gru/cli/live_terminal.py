"""Display of a live session in a terminal, with ``rich.live``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment, Segments
from rich.text import Text

from asr_gru.cli.screen import clock
from asr_gru.live import Status
from asr_gru.results import Event

__all__ = ["Terminal"]

UNSURE = 0.5
"""Words of lower confidence are underlined."""
INDENT_FROM = 60
"""Columns from which lines after the first of a segment are indented."""
NARROWEST = 10
METER = 10
METER_FROM_DB = -60.0
MUTE_S = 5.0
"""Seconds of digital silence before a warning is shown."""


class Terminal:
    """Finals scroll up; below them the open segment and a status line are redrawn in place.

    Lines never reach the last column. When the window becomes narrower, the terminal breaks what
    was drawn before into more lines, which are erased with it.

    Args:
        out: the terminal.
        console: rich's view of it; by default made from ``out`` and the environment, so that
            ``NO_COLOR`` is honoured.
    """

    def __init__(self, out: TextIO, console: Console | None = None) -> None:
        self._console = console or _Console(file=out, highlight=False, markup=False, emoji=False)
        self._open: Event | None = None
        self._status = ""
        self._drawn: list[int] = []
        self._drawn_for = 0
        self._mute_since_s: float | None = None
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._render,
        )

    def event(self, event: Event) -> None:
        """Redraw a partial in place, or print a final above the open segment."""
        if event.kind == "final":
            self._open = None
            self._print(self._segment(event))
        else:
            self._open = event
            self._draw()

    def note(self, text: str) -> None:
        """Print a note above the open segment."""
        self._print(self._wrapped(Text(_printable(text), "yellow")))

    def status(self, status: Status | None) -> None:
        """Redraw the status line."""
        line = self._status_line(status) if status else "waiting for the microphone"
        if line != self._status:
            self._status = line
            self._draw()

    def close(self) -> None:
        """Print the open segment as it is and remove the status line."""
        last, self._open, self._status = self._open, None, ""
        if last is not None:
            self._print(self._segment(last))
        if self._live.is_started:
            self._erase_surplus()
            self._live.stop()

    def _draw(self) -> None:
        self._start()
        self._erase_surplus()
        self._live.refresh()

    def _print(self, lines: Text) -> None:
        self._start()
        self._erase_surplus()
        self._console.print(lines, no_wrap=True, overflow="ignore", crop=False)

    def _start(self) -> None:
        if not self._live.is_started:
            self._live.start()
            self._console.show_cursor(True)  # so that it is there even if the process is killed

    def _erase_surplus(self) -> None:
        """Erase the rows that a narrower window has made of the lines drawn last."""
        columns = self._console.width
        if columns < self._drawn_for:
            rows = sum(max(1, -(-cells // columns)) for cells in self._drawn)
            codes: list[ControlType | tuple[ControlType, int]] = []
            for _ in range(rows - len(self._drawn)):
                codes += [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)]
            self._console.control(Control(ControlType.CARRIAGE_RETURN, *codes))
            self._drawn_for = columns

    def _render(self) -> RenderableType:
        """Return the end of the open segment and the status line, as far as the window holds."""
        shown = list(self._segment(self._open).split("\n")) if self._open else []
        if self._status:
            shown.append(Text.assemble((self._status[: self._width()], "dim")))
        shown = shown[-max(1, self._console.height - 1) :]
        self._drawn = [line.cell_len for line in shown] or [0]
        self._drawn_for = self._console.width
        segments: list[Segment] = []
        for line in shown:
            segments += [Segment.line()] * bool(segments)
            segments += [part for part in line.render(self._console) if part.text]
        return Segments(segments)

    def _segment(self, event: Event) -> Text:
        shown = event.written_words or event.words
        settled = len(event.stable.split())
        words = []
        for index, word in enumerate(shown):
            unsure = event.kind == "final" and (word.uncertain or word.confidence < UNSURE)
            styles = ["dim"] * (index >= settled) + ["underline"] * unsure
            words.append(Text(_printable(word.marked), " ".join(styles)))
        return self._wrapped(Text(" ").join(words), Text(f"[{clock(event.start_s)}] ", "dim"))

    def _wrapped(self, text: Text, first: Text | None = None) -> Text:
        """Break a text into lines with ``first`` in front, to the left of all in wide windows."""
        width = self._width()
        indent = first.cell_len if first and width >= INDENT_FROM else 0
        whole = Text.assemble(first, text) if first and not indent else text
        lines = list(whole.wrap(self._console, width - indent, overflow="fold"))
        for number, line in enumerate(lines):
            line.rstrip()
            if first and indent:
                lines[number] = Text.assemble(" " * indent if number else first, line)
        return Text("\n").join(lines)

    def _width(self) -> int:
        return max(NARROWEST, self._console.width) - 1

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
        return _joined(parts, self._width())


class _Console(Console):
    """A console that reports a terminal which is gone, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Raise the error, which rich is handling when it calls this."""
        raise


def _joined(parts: Iterable[str], width: int) -> str:
    """Return as many of the parts as there is room for."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if line and len(longer) > width:
            break
        line = longer
    return line


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
