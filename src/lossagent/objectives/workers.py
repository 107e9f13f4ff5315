"""Calls with a deadline: they run in a thread that is left behind where it hangs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
Job = tuple[Callable[[], object], "queue.SimpleQueue[Outcome]"]


class Late(Exception):
    """A call has not come back in time; its thread is still at it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a call: a value, or what it raised."""

    value: object = None
    error: BaseException | None = None


@dataclass
class Worker:
    """One thread that makes calls, one at a time; it does not keep the process from ending.

    The same thread is used again, since libraries such as OpenMP keep a team of threads for each that calls them.
    """

    _jobs: queue.SimpleQueue[Job] = field(default_factory=lambda: queue.SimpleQueue())
    _late: queue.SimpleQueue[Outcome] | None = None
    _thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a call that was late is still under way."""
        return self._late is not None and self._late.empty()

    def run(self, call: Callable[[], T], seconds: float) -> T:
        """The value of a call.

        Raises:
            Late: there is none after so many seconds, or the call before this one is still under way.
            BaseException: what the call raised.
        """
        if self.busy:
            raise Late
        self._late = None
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="lossagent-metric", daemon=True)
            self._thread.start()
        reply: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._jobs.put((call, reply))
        self._late = reply  # an interrupt leaves the call under way, too
        try:
            outcome = reply.get(timeout=seconds)
        except queue.Empty:
            raise Late from None
        self._late = None
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # pyright: ignore[reportReturnType]  (what the call returned)

    def _work(self) -> None:
        while True:
            call, reply = self._jobs.get()
            try:
                outcome = Outcome(call())
            except BaseException as error:  # raised again where the call was asked for
                outcome = Outcome(error=error)
            reply.put(outcome)
            del call, outcome  # nothing is kept alive while it waits
