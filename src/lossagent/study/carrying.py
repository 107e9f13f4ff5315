"""Carrying out one run of a study: from its experiment to its outcome."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from lossagent import evaluation
from lossagent.errors import Damaged, Refused, RunBusy
from lossagent.experiment import Experiment, load, located
from lossagent.runs import is_run, read_trajectory, write_atomically
from lossagent.session import FixedRun, Known, ScoreMemory, Session, Watch
from lossagent.study.deriving import changed
from lossagent.study.jobs import Job
from lossagent.study.outcome import Outcome, place, read_outcome, write_outcome
from lossagent.study.plan import Study
from lossagent.study.recording import outcome_of

RUNS, MEMORY, OVERLAPS = "runs", "memory", "overlaps"


@dataclass(frozen=True)
class Carrier:
    """Carries out runs in this process, one after another.

    Attributes:
        study: what is run.
        folder: the study's folder.
        tidy: delete checkpoints and intermediate images of a run when its outcome is written.
        watch: what the caller wants to hear of each run.
        memory: scores that runs have in common.
    """

    study: Study
    folder: Path
    memory: ScoreMemory
    tidy: bool = True
    watch: Watch = field(default_factory=Watch)

    def run_folder(self, job: Job) -> Path:
        """``STUDY/runs/OBJECTIVE/ARM/seed-0003``."""
        return self.folder / RUNS / job.key

    def done(self, job: Job) -> bool:
        """Whether its outcome is written."""
        return place(self.folder, job.objective, job.arm, job.seed).exists()

    def carry_out(self, job: Job) -> Outcome:
        """Runs a job, or what is left of it, and writes its outcome.

        Raises:
            Interrupted, KeyboardInterrupt: stopped on request; the run folder goes on later.
            RunBusy: another process is at it.
            Refused, Failed: it cannot be done.
        """
        if self.done(job):
            return read_outcome(place(self.folder, job.objective, job.arm, job.seed))
        with self._alone(job):
            return self._carry_out(job)

    @contextmanager
    def _alone(self, job: Job) -> Generator[None]:
        """Keeps a second worker of this machine off a run, also before it has a folder."""
        run = self.run_folder(job)
        run.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(run.with_name(f"{run.name}.lease")))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunBusy(f"another process is at {job}.") from None
        try:
            yield
        finally:
            lock.release()

    def _carry_out(self, job: Job) -> Outcome:
        experiment, run = self.study.experiment_of(job), self.run_folder(job)
        if is_run(run):
            refuse_other(run, experiment)
        if not finished(run):
            self._run(job, experiment, run)
        outcome = outcome_of(run, job, experiment)
        write_outcome(self.folder, outcome)
        if self.tidy:
            tidied(run)
        return outcome

    def _run(self, job: Job, experiment: Experiment, run: Path) -> None:
        known = Known(None, self._fixed(job), self.memory)
        if is_run(run):
            Session.resume(run, self.watch, known).run()
            return
        self._begun(job, experiment, run, known).run()

    def _begun(self, job: Job, experiment: Experiment, run: Path, known: Known) -> Session:
        """A new run; whether photographs stand in two of its sets is looked at once in a study.

        Raises:
            Refused: it cannot be, or its image sets have changed since another run.
        """
        file = self.folder / OVERLAPS / f"{sets_key(experiment)}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            # Looking takes minutes: a second worker waits for the first one's.
            with FileLock(str(file.with_suffix(".lease"))):
                if not file.exists():
                    session = Session.start(experiment, run, self.watch, known)
                    write_atomically(file, json.dumps(found_in(session), indent=1))
                    return session
        before = json.loads(file.read_text(encoding="utf-8"))
        session = Session.start(experiment, run, self.watch, replace(known, overlaps=before["overlaps"]))
        if before["images"] != found_in(session)["images"]:
            session.folder.close()
            session.parts.close()
            shutil.rmtree(run)
            raise Refused(
                f"{job}: the images are not those that earlier runs of the study were made with (data). Bring the "
                f"files back, or begin another study. Where the earlier runs matter no more, delete {file}."
            )
        return session

    def _fixed(self, job: Job) -> FixedRun | None:
        """The fixed arm's scores, depth by depth, where the run has to know them."""
        needed = self.study.needs(job)
        if needed is None:
            return None
        fixed = read_outcome(place(self.folder, needed.objective, needed.arm, needed.seed))
        return FixedRun(
            {s.depth: s.feedback for s in fixed.states if s.feedback is not None},
            {fixed.states[i].depth: feedback for i, feedback in fixed.selection.items()},
        )


def finished(run: Path) -> bool:
    """Whether nothing is left to do in a run folder but to write its outcome."""
    return (run / evaluation.FILE).exists() and read_trajectory(run).finished is not None


def refuse_other(run: Path, experiment: Experiment) -> None:
    """Refuses a run folder that holds another experiment than planned.

    Raises:
        Refused: so it is; the setting is named.
        Damaged: its experiment cannot be read.
    """
    try:
        there = load(run / "experiment.yaml").dump()
    except Refused as error:
        raise Damaged(f"{run} cannot be gone on with: {error}") from error
    if different := changed(there, located(experiment).dump()):
        raise Refused(f"{run} holds a run with other settings: {different}. Delete it, or choose another --out.")


def tidied(run: Path) -> None:
    """Deletes what a finished run needs no more: checkpoints, and restored images of all but start and selected."""
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    for folder in (*(run / "images").glob("state-*"), *(run / "images").glob("*/last")):
        shutil.rmtree(folder, ignore_errors=True)


def sets_key(experiment: Experiment) -> str:
    """Names the image sets of an experiment; those that are drawn depend on the seed."""
    data = located(experiment).dump()["data"]
    drawn = any(part.count is not None for parts in experiment.data.sets.values() for part in parts)
    text = json.dumps([data, experiment.scale, experiment.seed if drawn else None], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def found_in(session: Session) -> dict[str, object]:
    """What later runs on the same image sets need to know of them."""
    sets = session.parts.sets
    images = json.dumps(sets.record(), sort_keys=True)
    return {"overlaps": list(sets.overlaps), "images": hashlib.sha256(images.encode()).hexdigest()}
