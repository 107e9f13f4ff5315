"""Work ahead of the consumer in threads; what is made depends on its index only, never on the order of work."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
        workers: threads, at least 1.

    Attributes:
        waited: seconds that the consumer has waited so far; near zero when the workers keep up.

    Raises:
        Refused: depth or workers below 1.
    """

    def __init__(self, make: Callable[[int], T], start: int, stop: int, depth: int = 4, workers: int = 2) -> None:
        if depth < 1 or workers < 1:
            raise Refused(f"depth and workers must be at least 1; found {depth} and {workers}.")
        self.waited = 0.0
        self._make = make
        self._indices = iter(range(start, stop))
        self._pending: deque[Future[T]] = deque()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
        self._closed = False
        for _ in range(depth):
            self._submit()

    def _submit(self) -> None:
        if (index := next(self._indices, None)) is not None:
            self._pending.append(self._threads.submit(self._make, index))

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._closed or not self._pending:
            self.close()
            raise StopIteration
        began = time.perf_counter()
        try:
            item = self._pending.popleft().result()
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
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Prefetcher[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
