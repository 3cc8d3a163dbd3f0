"""Prefetching: a ``map`` whose results are computed ahead in threads and yielded in order."""

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
    """Return the number of CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_ahead(work: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R]:
    """Yield ``work(item)`` for each item, in order.

    Args:
        work: called from several threads at once.
        items: consumed lazily.
        threads: with 0, ``work`` is called when its result is requested; otherwise up to three
            results per thread are kept in memory.
    """
    if not threads:
        yield from map(work, items)
        return
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) == ITEMS_PER_THREAD * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:  # if closed early
            for future in pending:
                future.cancel()
