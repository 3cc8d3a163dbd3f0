"""Results in order, with and without threads, with a bounded number in memory."""

import threading
import time

import pytest

from asr_gru.training.ahead import ITEMS_PER_THREAD, map_ahead


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_keep_their_order(threads):
    def work(item):
        time.sleep(0.002 * (item % 3))
        return item * item

    assert list(map_ahead(work, range(30), threads)) == [n * n for n in range(30)]


def test_the_number_of_items_in_advance_is_limited():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_ahead(lambda item: item, items(), 2)
    assert next(results) == 0
    assert len(taken) == 2 * ITEMS_PER_THREAD
    results.close()


def test_without_threads_nothing_is_computed_in_advance():
    done = []
    results = map_ahead(done.append, range(5), 0)
    next(results)
    assert done == [0]


@pytest.mark.parametrize("threads", [0, 2])
def test_exceptions_are_raised_in_the_order_of_results(threads):
    def work(item):
        if item == 3:
            raise OSError("broken")
        return item

    results = map_ahead(work, range(10), threads)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="broken"):
        next(results)


def test_threads_end_when_iteration_stops():
    before = threading.active_count()
    results = map_ahead(lambda item: item, range(100), 4)
    next(results)
    results.close()
    assert threading.active_count() == before
