"""The terminal display of ``asr-gru live``."""

from __future__ import annotations

import sys

import pytest
from rich.console import Console, ConsoleDimensions

from asr_gru.cli.live_terminal import Terminal
from asr_gru.cli.screen import clock
from asr_gru.live import Status
from asr_gru.results import Event, Word


def test_the_terminal_shows_finals_in_written_form():
    word = Word(text="five", start_s=0.0, end_s=0.4, confidence=0.9)
    percent = Word(text="percent", start_s=0.4, end_s=0.9, confidence=0.9)
    whole = Word(text="5%", start_s=0.0, end_s=0.9, confidence=0.2)
    event = Event(
        kind="final",
        segment=0,
        text="five percent",
        stable="five percent",
        words=(word, percent),
        start_s=0.0,
        end_s=0.9,
        written_words=(whole,),
    )
    shown = Terminal(sys.stdout)._segment(event)
    assert shown.plain.endswith("5%")
    assert any("underline" in str(span.style) for span in shown.spans)


def event(kind, text, stable="", confidence=0.9):
    words = tuple(Word(w, i / 2, i / 2 + 0.4, confidence) for i, w in enumerate(text.split()))
    return Event(kind, 0, text, stable, words, 0.0, words[-1].end_s)


class Window:
    """A terminal with scrollback, emulated by pyte, and the live display in it."""

    def __init__(self, columns, lines, **options):
        pyte = pytest.importorskip("pyte")
        self.emulated = pyte.HistoryScreen(columns, lines, history=1000)
        self.stream = pyte.Stream(self.emulated)
        self.console = Console(
            file=self, width=columns, height=lines, force_terminal=True, highlight=False, **options
        )
        self.written = ""
        self.terminal = Terminal(self, self.console)

    def write(self, text):
        self.written += text
        self.stream.feed(text.replace("\n", "\r\n"))

    def flush(self):
        pass

    @property
    def rows(self):
        """The visible lines, without empty ones at the end."""
        rows = [line.rstrip() for line in self.emulated.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def scrollback_and_rows(self):
        columns = self.emulated.columns
        past = [
            "".join(line[column].data for column in range(columns)).rstrip()
            for line in self.emulated.history.top
        ]
        return [*past, *self.rows]

    def narrow(self, columns):
        """Make the window narrower; its lines are wrapped as in terminals."""
        rows = self.rows
        broken = [row[i : i + columns] for row in rows for i in range(0, len(row) or 1, columns)]
        self.emulated.resize(columns=columns)
        self.emulated.reset()
        self.stream.feed("\r\n".join(broken))
        self.console.size = ConsoleDimensions(columns, self.emulated.lines)


@pytest.fixture(params=[(80, 24), (40, 24), (20, 6)])
def window(request):
    return Window(*request.param)


def test_the_open_segment_is_redrawn_in_place(window):
    terminal, lines = window.terminal, window.emulated.lines
    text = ""
    for number in range(60):
        text = f"{text} word{number}".strip()
        terminal.event(event("partial", text, " ".join(text.split()[:-3])))
        terminal.status(Status(float(number), -20.0, 0.01, 0.1))
        assert len(window.rows) <= lines - 1
        assert f"word{number}" in window.rows[-2]
        assert window.rows[-1].startswith("[#######---]")
        assert window.scrollback_and_rows == window.rows  # nothing has scrolled up
        assert all(len(row) < window.emulated.columns for row in window.rows)
    terminal.event(event("final", text, text))
    terminal.event(event("final", "x" * 200, "x" * 200))
    terminal.note("a note")
    terminal.status(None)
    assert window.rows[-1] == "waiting for the microphone"[: window.emulated.columns - 1]
    terminal.event(event("partial", "the end"))
    terminal.close()
    shown = " ".join(" ".join(window.scrollback_and_rows).split())
    assert shown.startswith(f"[00:00.0] {text} [00:00.0]")
    assert shown.replace(" ", "").count("x" * 200) == 1
    assert shown.endswith("a note [00:00.0] the end")
    assert not window.emulated.cursor.hidden


def test_a_narrowed_window_shows_each_line_once():
    window = Window(80, 24)
    text = " ".join(f"word{number}" for number in range(30))
    window.terminal.event(event("final", "before", "before"))
    window.terminal.event(event("partial", text))
    window.terminal.status(Status(1.0, -20.0, 0.01, 0.1))
    window.narrow(40)
    window.terminal.event(event("partial", text + " more"))
    window.terminal.event(event("final", text + " more", text + " more"))
    window.terminal.close()
    shown = " ".join(" ".join(window.scrollback_and_rows).split())
    assert shown == f"[00:00.0] before [00:00.0] {text} more"


def test_unstable_words_are_dim_and_uncertain_ones_underlined():
    window = Window(80, 24, color_system="standard")
    window.terminal.event(event("partial", "one two", "one"))
    assert "one \x1b[2mtwo\x1b[0m" in window.written
    window.terminal.event(event("final", "three", "three", confidence=0.4))
    assert "\x1b[4mthree\x1b[0m" in window.written
    window.terminal.status(None)
    assert "\x1b[2mwaiting for the microphone\x1b[0m" in window.written
    window.terminal.note("a note")
    assert "\x1b[33ma note\x1b[0m" in window.written


def test_no_color_removes_colours_but_keeps_dim_and_underline():
    window = Window(80, 24, color_system="standard", no_color=True)
    window.terminal.note("a note")
    window.terminal.event(event("final", "three", "three", confidence=0.4))
    assert "\x1b[33m" not in window.written
    assert "\x1b[4mthree\x1b[0m" in window.written


def test_escape_sequences_in_words_do_not_reach_the_terminal():
    window = Window(80, 24)
    window.terminal.event(event("final", "\x1b]0;title\x07x", ""))
    assert "\x1b]0" not in window.written
    assert "]0;titlex" in window.rows[0]


def test_digital_silence_is_reported():
    window = Window(80, 24)
    for second in range(5):
        window.terminal.status(Status(float(second), -120.0, 0.0, 0.0))
    assert "muted" not in window.written
    window.terminal.status(Status(5.0, -120.0, 0.0, 0.0))
    assert "muted" in window.rows[-1]


def test_times_are_formatted_compactly():
    assert (clock(3.26), clock(75), clock(3600 + 61.5)) == ("00:03.2", "01:15.0", "1:01:01.5")
