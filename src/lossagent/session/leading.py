"""One run in its folder, on the process that decides, asks and writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lossagent import environment
from lossagent.build import Parts, build
from lossagent.build.experts import experts_of
from lossagent.errors import Failed, Refused, Waiting
from lossagent.experiment import Experiment, load, located
from lossagent.loop import Training, optimise
from lossagent.mailbox import Mailbox
from lossagent.objectives.base import Pixels
from lossagent.objectives.vision import Spends, VisionReviewer
from lossagent.records import REVIEW, State
from lossagent.runs import MemoryLog, RunFolder, refuse_existing
from lossagent.session.ending import Ending
from lossagent.session.exceptions import exceptions
from lossagent.session.fixed import keep, kept, read_fixed
from lossagent.session.following import Plan, meet
from lossagent.session.known import NOTHING, Known
from lossagent.session.patience import PATIENCE, Patience
from lossagent.session.steered import check_unchanged, steering_of
from lossagent.session.watch import Watch
from lossagent.session.workers import Workers
from lossagent.training.crew import Led
from lossagent.training.interrupts import Stop
from lossagent.training.pictures import read_image
from lossagent.training.ranks import Ranks


class Session:
    """One run in its folder.

    Use :meth:`start` for a new run and :meth:`resume` for one that was interrupted. With several processes this is
    process 0's part; the others call :meth:`lossagent.session.Follower.join`.
    """

    def __init__(self, parts: Parts, folder: RunFolder, watch: Watch, known: Known = NOTHING) -> None:
        self.parts, self.folder, self.watch = parts, folder, watch
        self.stop = Stop()
        workers = Workers(parts, folder.path, self.stop)
        self.ranks, self.crew, self.trainer = workers.ranks, workers.crew, workers.trainer
        scores = workers.gallery.objective("feedback", self._start_picture)
        self.objective = experts_of(parts, scores, self._picture, folder.path)
        fixed = kept(folder.path) or known.fixed or read_fixed(parts.experiment, parts.sets.record())
        keep(folder.path, fixed)
        self.steering = steering_of(
            parts, folder, self.objective, self._release, watch.event, Mailbox(folder.path), fixed
        )
        self.trainer.progress, self.trainer.warn = watch.iteration, self.steering.warn
        self._ending = Ending(
            parts, folder, self.steering, self.objective, workers.gallery, watch, fixed, memory=known.memory
        )

    @property
    def also_depth(self) -> int | None:
        """A depth whose state is evaluated too, to stand beside another run's selected state."""
        return self._ending.also_depth

    @also_depth.setter
    def also_depth(self, depth: int | None) -> None:
        self._ending.also_depth = depth

    @classmethod
    def start(cls, experiment: Experiment, out: Path, watch: Watch | None = None, known: Known = NOTHING) -> Session:
        """Checks everything, then makes the run folder.

        Args:
            experiment: what to run.
            out: the run folder to make.
            watch: what the caller wants to hear.
            known: what need not be found out again.

        Raises:
            Refused: anything about the experiment that cannot work; nothing was written.
        """
        made: list[Parts] = []

        def prepare() -> Plan:
            refuse_existing(out)
            chosen = located(experiment)
            parts = build(chosen, known.overlaps)
            made.append(parts)
            # Whatever steering refuses is refused here, before there is a folder.
            scores = parts.objective(parts.sets.feedback, lambda name: None)
            experts = experts_of(parts, scores, lambda state, name: None, out)
            fixed = known.fixed or read_fixed(chosen, parts.sets.record())
            steering_of(parts, MemoryLog(), experts, fixed=fixed)
            return Plan(chosen, parts.sets.overlaps, out)

        ranks = leader()
        ranks.from_main(prepare)
        parts = made[0]
        meet(parts, ranks)
        return ranks.from_main_alone(lambda: cls._started(parts, out, watch or Watch(), known))

    @classmethod
    def _started(cls, parts: Parts, out: Path, watch: Watch, known: Known) -> Session:
        folder = RunFolder.create(out, parts.experiment.dump(), parts.record())
        try:
            session = cls(parts, folder, watch, known)
            parts.sets.write_feedback(out / "images")
            for text in (*parts.warnings, *exceptions(parts)):
                session.steering.warn(text)
            for text in parts.foreign_licences:
                watch.phase(text)
        except BaseException:
            folder.close()
            raise
        return session

    @classmethod
    def resume(cls, out: Path, watch: Watch | None = None, known: Known = NOTHING) -> Session:
        """Goes on with an interrupted run at its next undone moment.

        Args:
            out: the run folder.
            watch: what the caller wants to hear.
            known: what need not be found out again; the image sets are those of the run folder in any case.

        Raises:
            Refused: no run is there, or its images are not those that it began with.
            RunBusy: it is being written by another process.
        """
        made: list[tuple[RunFolder, Parts]] = []

        def prepare() -> Plan:
            folder = RunFolder.open(out)
            try:
                recorded = json.loads((out / "environment.json").read_text(encoding="utf-8"))
                parts = build(load(out / "experiment.yaml"), recorded.get("overlaps"))
                check_unchanged(parts, recorded)
            except OSError as error:
                folder.close()
                raise unreadable(out, error) from error
            except BaseException:
                folder.close()
                raise
            made.append((folder, parts))
            return Plan(parts.experiment, parts.sets.overlaps, out)

        ranks = leader()
        ranks.from_main(prepare)
        folder, parts = made[0]
        try:
            meet(parts, ranks)
            return ranks.from_main_alone(lambda: cls._resumed(parts, folder, watch or Watch(), known))
        except OSError as error:
            folder.close()
            raise unreadable(out, error) from error
        except BaseException:
            folder.close()
            raise

    @classmethod
    def _resumed(cls, parts: Parts, folder: RunFolder, watch: Watch, known: Known) -> Session:
        session = cls(parts, folder, watch, known)
        if not (folder.path / "images" / "input").exists():
            parts.sets.write_feedback(folder.path / "images")
        session.warn_of_changes()
        session.count_spending()
        for state in session.steering.trajectory.states:
            if not state.restorable:  # a crash may have come between the word and the deed
                session._release(state)
        return session

    def count_spending(self) -> None:
        """Adds what each language model cost before to what its cap allows."""
        reviewers = [e for e in self.objective.experts.values() if isinstance(e, VisionReviewer)]
        for state in range(len(self.steering.trajectory.states) + 1):
            exchanges = tuple(self.folder.exchanges(state).values())
            for reviewer in reviewers:
                reviewer.count(exchanges)
            if isinstance(self.parts.chat, Spends):
                for exchange in exchanges:
                    if not exchange.key.startswith(REVIEW):
                        self.parts.chat.spending.add(exchange.prompt_tokens, exchange.completion_tokens)

    def warn_of_changes(self) -> None:
        """Says where the machine differs from the one the run began on, as far as bit-exactness depends on it."""
        events = [e for e in self.folder.events if e.kind == "started"]
        before, now = events[0].environment, environment.reproducibility(self.parts.device)
        for name, value in now.items():
            if name in before and before[name] != value:
                self.steering.warn(f"resumed with {name} {value}; the run began with {before[name]}: not bit-exact.")

    def run(self) -> None:
        """Trains, chooses, evaluates; once. After an interruption :meth:`resume` makes a new session.

        Raises:
            Interrupted, KeyboardInterrupt: stopped on request; everything finished is on disk.
            Waiting: for people, for longer than the experiment's patience.
            Diverged: see :class:`lossagent.training.trainer.Trainer`.
            Failed: the disk is full, a file cannot be written or read, or another process of the run has ended.
        """
        training: Training = Led(self.crew, self.trainer) if self.ranks.size > 1 else self.trainer
        with self.folder, self.stop.listening():
            try:
                with self.ranks.in_touch(), self.crew.leading():
                    self._through(training)
            except OSError as error:
                raise Failed(
                    f"a file could not be written or read: {error}. What is finished is intact; mend it and resume."
                ) from error
            finally:
                self.parts.close()

    def _through(self, training: Training) -> None:
        """The loop and the ending, as often as people make them wait."""
        people = self.parts.experiment.people
        patience = Patience(people.patience if people is not None else PATIENCE)
        while True:
            try:
                optimise(training, self.steering)
                self.steering.people.collect()
                self.steering.people.heed()  # what was asked for in the last stage
                if not self._ending.evaluated:
                    self.crew.order("wake")
                self._ending.conclude()
                return
            except Waiting as waiting:
                trajectory = self.steering.trajectory
                moment = (trajectory.last.id, trajectory.finished, trajectory.paused)
                if patience.begins(moment, len(trajectory.panel.judgements)):
                    self.watch.phase(str(waiting))
                self.crew.order("rest")
                if not patience.wait(waiting, self.steering.people.collect):
                    self.steering.people.waited(str(waiting))
                    raise
                self.steering.people.heed_stop()

    def _picture(self, state: int, name: str) -> Pixels | None:
        """A restored feedback image of a state, for reviewers that compare."""
        file = self.folder.path / "images" / f"state-{state:04d}" / f"{name}.png"
        return read_image(file) if file.exists() else None

    def _start_picture(self, name: str) -> Pixels | None:
        """S_0's restored feedback image, for guards that compare with it."""
        return self._picture(0, name)

    def _release(self, state: State) -> None:
        shutil.rmtree(self.folder.path / "checkpoints" / state.name, ignore_errors=True)


def leader() -> Ranks:
    """The processes of the run, seen from process 0.

    Raises:
        Refused: this is another process.
    """
    ranks = Ranks.join()
    if not ranks.main:
        raise Refused(f"a run is led by process 0, and this is process {ranks.rank}: call Follower.join().run() here.")
    return ranks


def unreadable(out: Path, error: OSError) -> Failed:
    """What is said of a run whose files cannot be read."""
    return Failed(f"the run {out} cannot be gone on with: {error}.")
