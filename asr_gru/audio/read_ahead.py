"""Reading of blocks on a thread, so that a pipe without data does not block whoever waits."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from asr_gru.audio.samples import Samples

__all__ = ["ReadAhead"]

MAX_BLOCKS = 50
"""Blocks to read before the first is taken; then the pipe has to wait."""


class ReadAhead:
    """Reads blocks on a thread of its own, up to ``MAX_BLOCKS`` ahead.

    Args:
        blocks: iterated on the thread.
        close: releases what ``blocks`` reads from; called on the thread once it has ended.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self,
        blocks: Iterator[Samples],
        close: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._blocks, self._close, self._clock = blocks, close, clock
        self._read: queue.Queue[tuple[Samples, float] | Exception | None] = queue.Queue(MAX_BLOCKS)
        self._closed = threading.Event()
        self._end: Exception | None = None
        threading.Thread(target=self._run, name="asr-gru-pipe", daemon=True).start()

    def take(self, timeout_s: float) -> tuple[Samples, float] | None:
        """Return a block and when it came; None if none comes within ``timeout_s``.

        Raises:
            EOFError: all blocks were taken.
            AudioError: raised by ``blocks``, as any other error of theirs.
        """
        if self._end is not None:
            raise self._end
        try:
            item = self._read.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            return None
        if isinstance(item, tuple):
            return item
        self._end = EOFError() if item is None else item
        raise self._end

    def close(self) -> None:
        """Stop the thread, which may wait for data until they come or the process ends."""
        self._closed.set()
        while not self._read.empty():  # so that a thread that waits for room sees the end
            self._read.get_nowait()

    def _run(self) -> None:
        end: Exception | None = None
        try:
            for block in self._blocks:
                self._put((block, self._clock()))
                if self._closed.is_set():
                    break
        except Exception as error:  # noqa: BLE001  # raised where the blocks are taken
            end = error
        finally:
            self._close()
        self._put(end)

    def _put(self, item: tuple[Samples, float] | Exception | None) -> None:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._read.put(item, timeout=0.2)
                return
