"""Progress bars of commands that process a known number of items."""

import io

import pytest

from asr_gru.cli import terminal


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("file", "name", "delay_s", "is_shown"),
    [
        (Tty, "xterm", 0.0, True),
        (Tty, "xterm", 60.0, False),
        (Tty, "dumb", 0.0, False),
        (io.StringIO, "xterm", 0.0, False),
    ],
)
def test_a_progress_bar_appears_on_terminals_after_a_delay(
    monkeypatch, file, name, delay_s, is_shown
):
    err = file()
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setattr(terminal, "DELAY_S", delay_s)
    monkeypatch.setenv("TERM", name)
    with terminal.count_progress("dev-read", 5) as update:
        update(3)
    assert ("dev-read" in err.getvalue() and "3/5" in err.getvalue()) == is_shown
    if not is_shown:
        assert err.getvalue() == ""
