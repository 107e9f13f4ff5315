"""Ctrl-C and SIGTERM: a step under way is finished and saved; anything else is durable already."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from lossagent.errors import Interrupted


class Stop:
    """A request to stop, set by a signal.

    Between :meth:`hold` and :meth:`release` the first signal only sets the flag; a second one, or a signal at any
    other time, interrupts at once.
    """

    def __init__(self) -> None:
        self.requested = False
        self._held = False

    def hold(self) -> None:
        """Holds the first signal back from now on: something is under way that should be finished or saved."""
        self._held = True

    def release(self) -> None:
        """Signals interrupt again; does nothing about one that was held back."""
        self._held = False

    @contextmanager
    def held(self) -> Generator[None]:
        """Holds the first signal back inside the block, and interrupts after it.

        Raises:
            Interrupted: a signal came, and signals were not held before.
        """
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before
        if self.requested and not before:
            raise Interrupted("stopped; everything finished is saved.")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        again, self.requested = self.requested, True
        if again or not self._held:
            raise KeyboardInterrupt(signal.Signals(number).name)

    @contextmanager
    def listening(self) -> Generator[None]:
        """Handles SIGINT and SIGTERM inside the block (main thread only; elsewhere it does nothing)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def ending_alike(several: bool) -> Generator[None]:
    """Lets a process of several that fails inside the block end with its own exit status.

    A launcher sends SIGTERM to all when the first has ended; one that is about to end by itself does not hear it.
    """
    try:
        yield
    except BaseException:
        if several and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
