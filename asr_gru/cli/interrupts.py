"""Ctrl-C and its kin: one orderly end, however often they come."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "interruptible"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
PATIENCE = 3
"""The signal that ends the process at once, should the orderly end hang."""


class Interrupted(BaseException):
    """A signal asked this process to end; it exits with ``exit_status``, 128 and the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextmanager
def interruptible(asked: Callable[[], bool] = lambda: False) -> Iterator[Callable[[], None]]:
    """Raise ``Interrupted`` at the first signal, and let the next one pass while that is handled.

    Args:
        asked: called first; returns whether the program will end by itself soon, in which case
            nothing is raised before the function below is called.

    Yields:
        a function to call now and then: it raises too, should the exception have been lost, as in
        a callback from C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(number)
        if len(received) == 1 and not asked():
            raise Interrupted(number)
        if len(received) >= PATIENCE:
            os._exit(128 + number)

    def check() -> None:
        if received:
            raise Interrupted(received[0])

    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    kept = {number: signal.getsignal(number) for number in numbers}
    for number, before in kept.items():
        if before is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, handle)
    try:
        yield check
    finally:
        for number, before in kept.items():  # a second signal must not cut the orderly end short
            signal.signal(number, signal.SIG_IGN if received else before)
