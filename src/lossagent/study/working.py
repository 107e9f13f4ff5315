"""One worker of a study: claims a run, carries it out, claims the next."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from lossagent.errors import Damaged, LossAgentError, Refused, RunBusy, Waiting
from lossagent.study.carrying import Carrier
from lossagent.study.failures import read_failure, set_aside, write_failure
from lossagent.study.jobs import Job
from lossagent.study.outcome import Outcome
from lossagent.study.presence import Presence
from lossagent.study.queue import BEATS, Claim, Queue, open_queue
from lossagent.study.registering import read_registration
from lossagent.study.telling import Count, failed, sentence

TRIES = 2
"""How often a run is tried."""
POLL = 1.0
"""Seconds between two looks at the queue while nothing can be begun."""
BUSY = 20.0
"""Seconds for which a run that another process writes is let alone."""


@dataclass(frozen=True)
class Told:
    """What a caller wants to hear of a worker.

    Attributes:
        done: a run that is over, with its outcome.
        failed: a run that was given up, and why.
        said: a sentence.
    """

    done: Callable[[Job, Outcome], None] = field(default=lambda job, outcome: None)
    failed: Callable[[Job, str], None] = field(default=lambda job, reason: None)
    said: Callable[[str], None] = field(default=lambda text: None)


@dataclass
class Worker:
    """A worker.

    Attributes:
        carrier: carries runs out.
        queue: where they are claimed.
        jobs: those that it may do, in order.
        told: what the caller wants to hear.
        deadline: of ``time.monotonic``; no run is begun after it, ``None`` for none.
        leader: process without which it stops at the next safe point, ``None`` for none.
    """

    carrier: Carrier
    queue: Queue
    jobs: tuple[Job, ...]
    told: Told = field(default_factory=Told)
    deadline: float | None = None
    leader: int | None = None
    _busy: dict[Job, float] = field(default_factory=dict[Job, float])

    def work(self) -> bool:
        """Works until nothing is left; ``False`` where the time was up before.

        Raises:
            Interrupted, KeyboardInterrupt: stopped on request; the run goes on where it is, later.
        """
        while open_jobs := self._open():
            if self.deadline is not None and time.monotonic() >= self.deadline:
                return False
            self.queue.bury()
            claim = self.queue.claim(tuple(j for j in open_jobs if self._may_begin(j)), self._settled)
            if claim is None:
                time.sleep(POLL)
            else:
                self._carry_out(claim)
                gc.collect()  # networks and images of a run refer to each other
        return True

    def _open(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if not self._settled(job))

    def _settled(self, job: Job) -> bool:
        return self.carrier.done(job) or read_failure(self.carrier.folder, job) is not None

    def _may_begin(self, job: Job) -> bool:
        if time.monotonic() < self._busy.get(job, 0.0):
            return False
        needed = self.carrier.study.needs(job)
        return needed is None or self._settled(needed)

    def _carry_out(self, claim: Claim) -> None:
        job, began = claim.job, time.monotonic()
        needed = self.carrier.study.needs(job)
        if needed is not None and not self.carrier.done(needed):
            self._give_up(job, f"{needed}, which it has to know, failed.")
            self.queue.give_back(claim)
            return
        try:
            with self._alive(claim):
                outcome = self.carrier.carry_out(job)
        except KeyboardInterrupt:
            self.queue.give_back(claim)
            raise
        except RunBusy:
            self._busy[job] = time.monotonic() + BUSY
            self.queue.give_back(claim)
        except Waiting as error:
            self._give_up(job, str(error))
            self.queue.give_back(claim)
        except Exception as error:  # whatever a run, a metric or a driver raises: the other runs go on
            self._failed(claim, error)
        else:
            self.queue.finish(claim, time.monotonic() - began)
            self.told.done(job, outcome)

    def _failed(self, claim: Claim, error: Exception) -> None:
        reason = str(error) if isinstance(error, LossAgentError) else f"{type(error).__name__}: {error}"
        if isinstance(error, Refused):  # it was not begun, and would be refused again: that is no try
            self._give_up(claim.job, reason)
            self.queue.give_back(claim)
            return
        if (claim.earlier + 1) % TRIES:
            self.told.said(f"{claim.job} failed and is tried once more: {reason}")
            if isinstance(error, Damaged):
                set_aside(self.carrier.run_folder(claim.job))
        else:
            self._give_up(claim.job, reason)
        self.queue.fail(claim, reason)

    def _give_up(self, job: Job, reason: str) -> None:
        write_failure(self.carrier.folder, job, reason)
        self.told.failed(job, reason)

    @contextmanager
    def _alive(self, claim: Claim) -> Generator[None]:
        """Gives signs of life while the block runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(claim, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(timeout=self.queue.stale)

    def _beat(self, claim: Claim, over: threading.Event) -> None:
        every = min(self.queue.stale / BEATS, 2.0 if self.leader is not None else 30.0)
        spoke = time.monotonic()
        while not over.wait(every):
            if self.leader is not None and os.getppid() != self.leader:
                os.kill(os.getpid(), signal.SIGINT)
                return
            if time.monotonic() - spoke >= self.queue.stale / BEATS:
                with contextlib.suppress(Exception):  # a database that is away for a moment; the next sign may arrive
                    self.queue.beat(claim)
                spoke = time.monotonic()


def join_in(
    carrier: Carrier,
    jobs: tuple[Job, ...],
    storage: str | None,
    stale: float,
    say: Callable[[str], None],
    deadline: float | None = None,
    leader: int | None = None,
) -> bool:
    """Works on a study in this process until nothing is left; ``False`` where the time was up before.

    Args:
        carrier: carries runs out.
        jobs: those that may be done, in order.
        storage: a database's URL, ``None`` for the journal file.
        stale: seconds after which a silent worker on another machine is taken for dead.
        say: takes a line for each run that this worker has ended.
        deadline: of ``time.monotonic``; no run is begun after it.
        leader: process without which the worker stops.

    Raises:
        Interrupted, KeyboardInterrupt: stopped on request.
    """
    folder = carrier.folder
    count = Count(sum(not carrier.done(job) and read_failure(folder, job) is None for job in jobs))

    def done(job: Job, outcome: Outcome) -> None:
        count.over(outcome.cost.wall_seconds)
        say(sentence(job, outcome, count))

    def given_up(job: Job, reason: str) -> None:
        count.over()
        say(failed(job, reason, count))

    presence = Presence(folder)
    try:
        name = f"{carrier.study.name}-{read_registration(folder).identity}"
        queue = open_queue(folder, name, presence, storage, stale)
        with closing(queue):
            return Worker(carrier, queue, jobs, Told(done, given_up, say), deadline, leader).work()
    finally:
        presence.leave()
