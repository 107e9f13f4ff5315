"""Work ahead of the consumer in threads; what is made depends on its index only, never on the order of work."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Generic, TypeVar

from lossagent.errors import Refused

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Iterates over ``make(start), ..., make(stop - 1)`` in that order, computed ahead.

    Use it in a ``with`` block, or call :meth:`close`. An exception of ``make`` is raised at the consumer in place of
    its item, after which the prefetcher is closed.

    Args:
        make: pure function of the index, safe to call from several threads.
        start, stop: range of indices.
        depth: items made or in the making ahead of the consumer, at least 1.
        workers: threads; with 0 each item is made when it is asked for. On a CPU that trains with all of its cores a
            thread beside it costs more than it saves: a training step took a quarter longer on two cores.

    Attributes:
        waited: seconds that the consumer has waited so far; near zero when the workers keep up.

    Raises:
        Refused: depth below 1 or workers below 0.
    """

    def __init__(self, make: Callable[[int], T], start: int, stop: int, depth: int = 4, workers: int = 2) -> None:
        if depth < 1 or workers < 0:
            raise Refused(f"depth must be at least 1 and workers at least 0; found {depth} and {workers}.")
        self.waited = 0.0
        self._make = make
        self._indices = iter(range(start, stop))
        self._pending: deque[Callable[[], T]] = deque()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="prefetch") if workers > 0 else None
        self._closed = False
        for _ in range(depth if workers > 0 else 1):
            self._submit()

    def _submit(self) -> None:
        if (index := next(self._indices, None)) is not None:
            make = partial(self._make, index)
            self._pending.append(self._threads.submit(make).result if self._threads is not None else make)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._closed or not self._pending:
            self.close()
            raise StopIteration
        began = time.perf_counter()
        try:
            item = self._pending.popleft()()
        except BaseException:
            self.close()
            raise
        finally:
            self.waited += time.perf_counter() - began
        self._submit()
        return item

    def close(self) -> None:
        """Drops what was not consumed and ends the threads; may be called again."""
        self._closed = True
        self._pending.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Prefetcher[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
