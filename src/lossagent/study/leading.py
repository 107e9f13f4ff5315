"""The process that starts the workers of a study on this machine, and tells how it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lossagent.errors import Failed
from lossagent.study.carrying import Carrier
from lossagent.study.failures import read_failure
from lossagent.study.jobs import Job
from lossagent.study.outcome import place, read_outcome
from lossagent.study.plan import Study
from lossagent.study.presence import FOLDER
from lossagent.study.telling import Count, failed, sentence

POLL = 0.5
LOST = 3
"""How many workers may end by a signal, for each that was asked for, before the study stops."""
START = "from lossagent.cli import main; main()"


@dataclass
class Leader:
    """Starts workers, waits for them, tells of every run that is over.

    Attributes:
        carrier: knows the study and its folder.
        jobs: those that are to be done.
        command: arguments of ``lossagent`` that make one worker.
        workers: how many at a time.
        say: takes a line.
        deadline: ``time.monotonic()`` after which no run is begun, ``None`` for none.
    """

    carrier: Carrier
    jobs: tuple[Job, ...]
    command: Sequence[str]
    workers: int
    say: Callable[[str], None]
    deadline: float | None = None
    _running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict[int, "subprocess.Popen[bytes]"])
    _told: set[Job] = field(default_factory=set[Job])
    _lost: int = 0

    def lead(self) -> bool:
        """Whether every run is over at the end; ``False`` where the workers stopped before, their time being up.

        Raises:
            KeyboardInterrupt: stopped on request, after the workers.
            Failed: workers ended by a signal again and again.
        """
        self._told = {job for job in self.jobs if self._over(job)}
        left = len(self.jobs) - len(self._told)
        self.say(f"{len(self.jobs)} runs, {left} to do, {min(self.workers, max(left, 1))} at a time.")
        count = Count(left, self.workers)
        if not left:
            return True
        try:
            for number in range(min(self.workers, left)):
                self._start(number)
            while self._running:
                time.sleep(POLL)
                self._tell(count)
                self._look()
        except KeyboardInterrupt:
            self._stop()
            raise
        except BaseException:
            self._stop()
            raise
        self._tell(count)
        return all(self._over(job) for job in self.jobs)

    def _start(self, number: int) -> None:
        log = self.carrier.folder / FOLDER / f"worker-{number}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        limit = [] if self.deadline is None else ["--limit", str(max(0.0, self.deadline - time.monotonic()) / 60)]
        words = [sys.executable, "-c", START, *self.command, *limit, "--leader", str(os.getpid())]
        with log.open("ab") as out:
            self._running[number] = start_process(words, environment_of(number, threads(self.carrier.study)), out)

    def _look(self) -> None:
        for number, process in list(self._running.items()):
            status = process.poll()
            if status is None:
                continue
            del self._running[number]
            if status in (0, 3):
                continue
            self._lost += 1
            log = self.carrier.folder / FOLDER / f"worker-{number}.log"
            if status > 0 or self._lost > LOST * self.workers:
                raise Failed(f"worker {number} ended with status {status}; the end of {log}:\n{tail(log)}")
            self.say(f"worker {number} was ended by signal {-status}; another one takes over.")
            self._start(number)

    def _tell(self, count: Count) -> None:
        for job in self.jobs:
            if job in self._told or not self._over(job):
                continue
            self._told.add(job)
            reason = None if self.carrier.done(job) else read_failure(self.carrier.folder, job)
            if reason is not None:
                count.over()
                self.say(failed(job, reason, count))
            else:
                outcome = read_outcome(place(self.carrier.folder, job.objective, job.arm, job.seed))
                count.over(outcome.cost.wall_seconds)
                self.say(sentence(job, outcome, count))

    def _over(self, job: Job) -> bool:
        return self.carrier.done(job) or read_failure(self.carrier.folder, job) is not None

    def _stop(self) -> None:
        """Lets workers come to a safe point; a second request stops them at once."""
        self.say("Stopping: the runs under way are saved first; once more stops at once.")
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
        while any(process.poll() is None for process in self._running.values()):
            try:
                time.sleep(0.2)
            except KeyboardInterrupt:
                for process in self._running.values():
                    process.send_signal(signal.SIGINT)


def start_process(words: Sequence[str], environment: Mapping[str, str], out: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process that a Ctrl-C in the terminal does not reach: its leader tells it."""
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(environment), start_new_session=True
    )


def threads(study: Study) -> int:
    """Threads of a run: the most that an arm asks for."""
    asked = [study.experiment_of(job).training.threads for job in study.jobs]
    return max((n for n in asked if n is not None), default=1)


def cores(study: Study) -> int:
    """Workers that keep this machine busy: its accelerators or else its cores, by the threads of a run."""
    if accelerators := _accelerators():
        return accelerators
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, here // threads(study))


def environment_of(number: int, count: int) -> dict[str, str]:
    """Environment of a worker: its accelerator, where there are some, and no more threads than a run may have."""
    found = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        found.setdefault(name, str(count))
    if (accelerators := _accelerators()) > 1 and "CUDA_VISIBLE_DEVICES" not in found:
        found["CUDA_VISIBLE_DEVICES"] = str(number % accelerators)
    return found


def _accelerators() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
