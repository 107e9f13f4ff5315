"""Work ahead in threads."""

from __future__ import annotations

import random
import threading
import time

import pytest

from lossagent.data import Prefetcher
from lossagent.errors import Refused


@pytest.mark.parametrize(("depth", "workers"), [(1, 1), (3, 2), (8, 5), (100, 4)])
def test_items_come_in_order(depth, workers):
    def make(index: int) -> int:
        time.sleep(random.random() * 0.002)
        return index * index

    with Prefetcher(make, 5, 45, depth, workers) as items:
        assert list(items) == [i * i for i in range(5, 45)]
        assert list(items) == []


def test_no_more_than_depth_ahead():
    made: list[int] = []
    with Prefetcher(lambda i: made.append(i) or i, 0, 50, depth=3, workers=2) as items:
        assert next(items) == 0
        time.sleep(0.05)
        assert sorted(made) == [0, 1, 2, 3]


def test_an_exception_is_raised_in_its_place():
    def make(index: int) -> int:
        if index == 3:
            raise Refused("index 3 is bad")
        return index

    items = Prefetcher(make, 0, 10, depth=6, workers=3)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Refused, match="index 3 is bad"):
        next(items)
    with pytest.raises(StopIteration):
        next(items)


def test_close_ends_the_threads():
    before = threading.active_count()
    items = Prefetcher(lambda i: i, 0, 1000, depth=4, workers=3)
    next(items)
    items.close()
    items.close()
    assert threading.active_count() == before
    assert list(items) == []


def test_waiting_is_counted():
    with Prefetcher(lambda i: time.sleep(0.1), 0, 2, depth=1, workers=1) as slow:
        list(slow)
        assert slow.waited > 0.1
    with Prefetcher(lambda i: i, 0, 2, depth=2, workers=1) as quick:
        time.sleep(0.1)
        list(quick)
        assert quick.waited < 0.1


def test_bad_arguments_are_refused():
    with pytest.raises(Refused, match="at least 1"):
        Prefetcher(lambda i: i, 0, 2, depth=0)
