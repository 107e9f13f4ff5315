"""A tracker on a thread of its own: the run never waits for it, and nothing that it does can stop the run."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from lossagent.tracking.base import Tracker
from lossagent.tracking.ledger import Entry, Ledger
from lossagent.tracking.moments import Teller, rows_of
from lossagent.trajectory import Trajectory


class Worker:
    """Tells one tracker of the newest trajectory, until it fails or hangs.

    A state is marked as mirrored before the tracker is told of it: a crash in between costs the mirror a state, and
    no state is ever mirrored twice.

    Args:
        name: of the tracker.
        tracker: called from the worker's thread alone.
        folder: the run folder.
        deadline: seconds that one call may take.
    """

    def __init__(self, name: str, tracker: Tracker, folder: Path, deadline: float) -> None:
        self.name, self.tracker, self.folder, self.deadline = name, tracker, folder, deadline
        self._ledger = Ledger(folder / "trackers.json")
        self._newest: Trajectory | None = None
        self._wake = threading.Condition()
        self._closing = False
        self._since: float | None = None
        self._problem = ""
        self._thread: threading.Thread | None = None

    @property
    def problem(self) -> str:
        """Why it has stopped, in one sentence; "" while it goes on."""
        with self._wake:
            if not self._problem and self._since is not None and time.monotonic() - self._since > self.deadline:
                self._problem = f"it has not answered for {self.deadline:g} s"
            return self._problem

    def take(self, trajectory: Trajectory) -> None:
        """Hands over the newest trajectory and returns at once."""
        if self.problem:
            return
        with self._wake:
            self._newest = trajectory
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"tracker-{self.name}", daemon=True)
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """Waits until everything handed over is mirrored; no longer than the deadline for any one call."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        while self._thread is not None and self._thread.is_alive() and not self.problem:
            self._thread.join(0.05)

    def _work(self) -> None:
        try:
            self._mirror_all()
        except BaseException as error:  # a tracker's own exits and interrupts are its failures too
            text = " ".join(str(error).split())[:500]
            with self._wake:
                self._problem = self._problem or f"{type(error).__name__}: {text}" if text else type(error).__name__
        finally:
            with self._wake:
                self._since = None

    def _mirror_all(self) -> None:
        self._begin()
        entry = self._ledger.get(self.name)
        key = self.tracker.open(entry.key if entry is not None else None)
        mirrored = entry.mirrored if entry is not None else -1
        self._ledger.put(self.name, Entry(key=key, mirrored=mirrored))
        last, teller = None, Teller(self.folder)
        while (trajectory := self._next(last)) is not None:
            last = trajectory
            for moment in teller.moments(trajectory, mirrored):
                mirrored = moment.state
                self._begin()
                self._ledger.put(self.name, Entry(key=key, mirrored=mirrored))
                self.tracker.mirror(moment)
        self._begin()
        self.tracker.close(rows_of(last, mirrored) if last is not None else ())

    def _begin(self) -> None:
        """Starts the clock of one call.

        Raises:
            TimeoutError: the worker was given up while it hung: what comes late is mirrored no more.
        """
        with self._wake:
            if self._problem:
                raise TimeoutError(self._problem)
            self._since = time.monotonic()

    def _next(self, last: Trajectory | None) -> Trajectory | None:
        """The newest trajectory that is not the last one; ``None`` at the end."""
        with self._wake:
            self._since = None
            while self._newest is last and not self._closing:
                self._wake.wait()
            return self._newest if self._newest is not last else None
