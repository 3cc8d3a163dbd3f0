"""Handling of SIGINT, SIGTERM and SIGHUP: one orderly shutdown, however often they arrive."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "current_handlers", "interrupt_behind", "interruptible"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
MAX_SIGNALS = 3
"""Number of signals after which the process exits at once, in case the shutdown hangs."""


class Interrupted(BaseException):
    """The process was asked to stop; ``exit_status`` is 128 plus the signal number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


def interrupt_behind(error: BaseException) -> int | None:
    """Return the exit status of the interruption that led to an error, if one did.

    Libraries in C turn an exception that arrives while they are imported into an ``ImportError``.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Interrupted):
            return seen.exit_status
        if isinstance(seen, KeyboardInterrupt):
            return 128 + signal.SIGINT
        seen = seen.__cause__ or seen.__context__
    return None


def current_handlers() -> dict[int, Any]:
    """Return the handlers of SIGINT, SIGTERM and SIGHUP, without those of ignored signals.

    Signals that the parent ignores, as SIGHUP under nohup, stay ignored.
    """
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    return {n: handler for n, handler in handlers.items() if handler is not signal.SIG_IGN}


@contextmanager
def interruptible(asked: Callable[[], bool] = lambda: False) -> Iterator[Callable[[], None]]:
    """Raise ``Interrupted`` at the first signal, and ignore the second while that is handled.

    Args:
        asked: called at the first signal; returns whether the program will stop by itself soon,
            in which case nothing is raised until the yielded function is called.

    Yields:
        A function to call regularly: it raises if the exception was lost, as in a callback
        from C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(number)
        if len(received) == 1 and not asked():
            raise Interrupted(number)
        if len(received) >= MAX_SIGNALS:
            os._exit(128 + number)

    def check() -> None:
        if received:
            raise Interrupted(received[0])

    handlers = current_handlers()
    for number in handlers:
        signal.signal(number, handle)
    try:
        yield check
    finally:
        for number, before in handlers.items():  # a second signal must not interrupt the shutdown
            signal.signal(number, signal.SIG_IGN if received else before)
