"""Who runs what: jobs are claimed through Optuna's storage, a journal file on a shared disk or a database.

The truth is in the files: a run is over when its outcome is there, and a run folder has one writer. The queue only
keeps workers out of each other's way, and may be deleted while none is at work.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from lossagent.agents.search.silence import quiet_optuna
from lossagent.errors import Failed, MissingPackage, Refused
from lossagent.study.jobs import Job
from lossagent.study.presence import Presence

if TYPE_CHECKING:
    import optuna

JOURNAL = "journal.log"
OPEN = ("WAITING", "RUNNING")
STALE = 180.0
"""Seconds without a sign of life after which a worker on another machine is taken for dead."""
BEATS = 6
"""Signs of life within that time."""


def nothing() -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Claim:
    """A job that this worker has.

    Attributes:
        job: which.
        trial: its entry in the queue.
        earlier: how often the job failed before.
    """

    job: Job
    trial: optuna.Trial
    earlier: int


@dataclass
class Queue:
    """The jobs of a study, seen by one worker.

    Attributes:
        store: Optuna's study that holds an entry for each attempt at a job.
        presence: this worker's, by which others know that it lives.
        stale: seconds after which a silent worker on another machine is taken for dead.
        turn: held while a job is claimed.
        shut: ends the connection to a database.
    """

    store: optuna.Study
    presence: Presence
    stale: float = STALE
    turn: AbstractContextManager[object] = field(default_factory=nullcontext[None])
    shut: Callable[[], None] = nothing
    _heard: dict[int, tuple[object, float]] = field(default_factory=dict[int, tuple[object, float]])

    def claim(self, jobs: tuple[Job, ...], done: Callable[[Job], bool]) -> Claim | None:
        """Takes the first job that nobody has; ``None`` where there is none now.

        Args:
            jobs: those that may be begun, in order.
            done: whether a job needs no more work; asked before it is claimed, and after.
        """
        with self.turn:
            entries = self._entries()
            taken = {e.user_attrs.get("job") for e in entries if e.state.name in OPEN}
            free = next((job for job in jobs if job.key not in taken and not done(job)), None)
            waiting = any(e.state.name == "WAITING" for e in entries)
            if free is None and not waiting:
                return None
            if not waiting:
                assert free is not None
                self.store.enqueue_trial({}, user_attrs={"job": free.key})
            return self._take(jobs, done)

    def _take(self, jobs: tuple[Job, ...], done: Callable[[Job], bool]) -> Claim | None:
        trial = self.store.ask()
        key = trial.user_attrs.get("job")
        trial.set_user_attr("worker", self.presence.name)
        job = next((j for j in jobs if j.key == key), None)
        entries = self._entries()
        # Of two entries for one job the earlier one has it.
        earlier = [e for e in entries if e.user_attrs.get("job") == key and e.number < trial.number]
        if job is None or done(job) or any(e.state.name in OPEN for e in earlier):
            self._end(trial.number)
            return None
        return Claim(job, trial, sum("reason" in e.user_attrs for e in earlier))

    def finish(self, claim: Claim, seconds: float) -> None:
        """The job is done."""
        with unless_over():
            self.store.tell(claim.trial, seconds, skip_if_finished=True)

    def give_back(self, claim: Claim) -> None:
        """The job is not done, through no fault of its own."""
        self._end(claim.trial.number)

    def fail(self, claim: Claim, reason: str) -> None:
        """The job failed; the reason counts against it."""
        with unless_over():
            claim.trial.set_user_attr("reason", reason[:500])
        self._end(claim.trial.number)

    def beat(self, claim: Claim) -> None:
        """A sign of life."""
        with unless_over():
            claim.trial.set_user_attr("beat", time.time())

    def bury(self) -> list[str]:
        """Frees the jobs of workers that are dead; returns their keys."""
        freed: list[str] = []
        for entry in self._entries():
            if entry.state.name == "RUNNING" and self._dead(entry):
                self._end(entry.number)
                freed.append(str(entry.user_attrs.get("job")))
        return freed

    def close(self) -> None:
        """Ends the connection to a database."""
        self.shut()

    def _dead(self, entry: optuna.trial.FrozenTrial) -> bool:
        worker = entry.user_attrs.get("worker")
        if worker == self.presence.name:
            return False
        if isinstance(worker, str) and (alive := self.presence.alive(worker)) is not None:
            return not alive
        # On another machine: its clock may be another, so what counts is how long its sign has not changed here.
        sign, since = entry.user_attrs.get("beat"), time.monotonic()
        before = self._heard.get(entry.number)
        if before is None or before[0] != sign:
            self._heard[entry.number] = (sign, since)
            return False
        return since - before[1] > self.stale

    def _entries(self) -> list[optuna.trial.FrozenTrial]:
        return self.store.get_trials(deepcopy=False)

    def _end(self, number: int) -> None:
        import optuna

        with unless_over():
            self.store.tell(number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)


@contextmanager
def unless_over() -> Generator[None]:
    """Lets an entry be over that another worker has ended in the meantime, taking this one for dead."""
    import optuna

    with suppress(optuna.exceptions.UpdateFinishedTrialError):
        yield


def open_queue(study: Path, name: str, presence: Presence, storage: str | None = None, stale: float = STALE) -> Queue:
    """The queue of a study.

    Args:
        study: its folder.
        name: its name.
        presence: of this worker.
        storage: a database's URL, ``None`` for a journal file in the study's folder.
        stale: seconds after which a silent worker on another machine is taken for dead.

    Raises:
        MissingPackage: Optuna is not installed.
        Refused, Failed: the database cannot be opened, or the journal cannot be read.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MissingPackage("optuna", "search", "a study whose runs are shared between workers")
    import optuna
    from optuna.storages.journal import JournalFileBackend

    journal = study / JOURNAL
    turn: AbstractContextManager[object] = nullcontext()
    shut: Callable[[], None] = nothing
    try:
        if storage is None:
            place: optuna.storages.BaseStorage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
        else:
            place = optuna.storages.RDBStorage(storage)
            shut = place.engine.dispose
            if storage.startswith("sqlite"):
                # It has no way to claim a row; but then all workers are on one machine.
                turn = FileLock(str(study / "claiming.lease"))
        with quiet_optuna(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = optuna.create_study(storage=place, study_name=name, load_if_exists=True)
    except ValueError as error:
        if storage is not None:
            raise Refused(f"--storage {storage}: {error}") from error
        raise Failed(
            f"{journal} cannot be read ({error}). It only says who runs what: stop all workers, delete it, start again."
        ) from error
    except Exception as error:  # whatever a database's driver raises
        if type(error).__module__.split(".")[0] not in ("sqlalchemy", "optuna", "psycopg2", "pymysql"):
            raise
        raise Refused(f"--storage {storage} cannot be opened: {str(error).splitlines()[0]}") from error
    return Queue(store, presence, stale, turn, shut)
