"""Work done ahead of its use, by threads, in the order in which it is asked for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_ahead", "usable_cpus"]

T = TypeVar("T")
R = TypeVar("R")

ITEMS_PER_THREAD = 3


def usable_cpus() -> int:
    """Return on how many processors this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_ahead(work: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R]:
    """Yield ``work(item)`` for each item, in order.

    Args:
        work: called from several threads at once.
        items: read as far as needed, not at once.
        threads: 0 calls ``work`` when its result is asked for; otherwise at most three results
            for each thread wait in memory.
    """
    if not threads:
        yield from map(work, items)
        return
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == ITEMS_PER_THREAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # left early: what has not begun need not
            for future in waiting:
                future.cancel()
