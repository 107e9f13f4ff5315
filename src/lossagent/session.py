"""A run from start to end: the loop, the choice of the checkpoint, the evaluation."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import nn

from lossagent import environment, evaluation
from lossagent.build import Parts, build
from lossagent.build.networks import load_scored
from lossagent.chat import Spending
from lossagent.data import ImageSet
from lossagent.errors import Failed, Refused
from lossagent.evaluation import Row, SetTable
from lossagent.experiment import Experiment, load, located
from lossagent.feedback import Feedback
from lossagent.loop import optimise
from lossagent.metrics import correlated_noise
from lossagent.objectives.base import Objective, Pixels
from lossagent.records import State
from lossagent.restorers import from_uint8, to_uint8
from lossagent.runs import Log, MemoryLog, RunFolder, refuse_existing
from lossagent.steering import Steering, Surroundings
from lossagent.training.interrupts import Stop
from lossagent.training.pictures import Pictures, read_image, write_images
from lossagent.training.trainer import Progress, Trainer
from lossagent.trajectory import Trajectory

PICTURES_KEPT = 6
"""Test images whose restored versions are kept for the report."""


@dataclass(frozen=True)
class Watch:
    """What a caller wants to hear of a run; every part may be left as it is.

    Attributes:
        iteration: stage, iterations done, iterations in all.
        event: the trajectory after each recorded event.
        phase: a sentence on what begins now.
    """

    iteration: Progress = field(default=lambda stage, done, total: None)
    event: Callable[[Trajectory], None] = field(default=lambda trajectory: None)
    phase: Callable[[str], None] = field(default=lambda text: None)


@runtime_checkable
class Spends(Protocol):
    """A chat model that counts what it costs."""

    @property
    def spending(self) -> Spending:
        """Tokens and money so far, with their caps."""
        ...


class Session:
    """One run in its folder.

    Use :meth:`start` for a new run and :meth:`resume` for one that was interrupted.

    Attributes:
        also_depth: a depth whose state is evaluated too, to stand beside another run's selected state.
    """

    also_depth: int | None = None

    def __init__(self, parts: Parts, folder: RunFolder, watch: Watch) -> None:
        self.parts, self.folder, self.watch = parts, folder, watch
        self.stop = Stop()
        self._spare: nn.Module | None = None
        experiment = parts.experiment
        device = parts.device
        self.pictures = Pictures(parts.sets.feedback_inputs(), parts.application, device)
        self.objective = parts.objective(parts.sets.feedback, self._start_picture)
        self.steering = steering_of(parts, folder, self.objective, self._release, watch.event)
        self.trainer = Trainer(
            networks=parts.networks,
            repository=parts.repository,
            sampler=parts.sampler,
            pictures=self.pictures,
            settings=experiment.training,
            run=folder.path,
            seed=experiment.seed,
            device=device,
            stop=self.stop,
            progress=watch.iteration,
            warn=self.steering.warn,
        )

    @classmethod
    def start(cls, experiment: Experiment, out: Path, watch: Watch | None = None) -> Session:
        """Checks everything, then makes the run folder.

        Raises:
            Refused: anything about the experiment that cannot work; nothing was written.
        """
        refuse_existing(out)
        experiment = located(experiment)
        parts = build(experiment)
        # Whatever steering refuses is refused here, before there is a folder.
        steering_of(parts, MemoryLog(), parts.objective(parts.sets.feedback, lambda name: None))
        folder = RunFolder.create(out, experiment.dump(), parts.record())
        try:
            session = cls(parts, folder, watch or Watch())
            parts.sets.write_feedback(out / "images")
            for text in parts.warnings:
                session.steering.warn(text)
        except BaseException:
            folder.close()
            raise
        return session

    @classmethod
    def resume(cls, out: Path, watch: Watch | None = None) -> Session:
        """Goes on with an interrupted run at its next undone moment.

        Raises:
            Refused: no run is there, or its images are not those that it began with.
            RunBusy: it is being written by another process.
        """
        folder = RunFolder.open(out)
        try:
            recorded = json.loads((out / "environment.json").read_text(encoding="utf-8"))
            parts = build(load(out / "experiment.yaml"), recorded.get("overlaps"))
            check_unchanged(parts, recorded)
            session = cls(parts, folder, watch or Watch())
            if not (out / "images" / "input").exists():
                parts.sets.write_feedback(out / "images")
            session.warn_of_changes()
            session.count_spending()
            for state in session.steering.trajectory.states:
                if not state.restorable:  # a crash may have come between the word and the deed
                    session._release(state)
        except OSError as error:
            folder.close()
            raise Failed(f"the run {out} cannot be gone on with: {error}.") from error
        except BaseException:
            folder.close()
            raise
        return session

    def count_spending(self) -> None:
        """Adds what the language model cost before to what a cap allows."""
        if isinstance(self.parts.chat, Spends):
            for state in range(len(self.steering.trajectory.states) + 1):
                for exchange in self.folder.exchanges(state).values():
                    self.parts.chat.spending.add(exchange.prompt_tokens, exchange.completion_tokens)

    def warn_of_changes(self) -> None:
        """Says where the machine differs from the one the run began on, as far as bit-exactness depends on it."""
        events = [e for e in self.folder.events if e.kind == "started"]
        before, now = events[0].environment, environment.reproducibility(self.parts.device)
        for name, value in now.items():
            if before.get(name) != value:
                self.steering.warn(
                    f"resumed with {name} {value}; the run began with {before.get(name)}: not bit-exact."
                )

    def run(self) -> None:
        """Trains, chooses, evaluates; once. After an interruption :meth:`resume` makes a new session.

        Raises:
            Interrupted, KeyboardInterrupt: stopped on request; everything finished is on disk.
            Diverged: see :class:`lossagent.training.trainer.Trainer`.
            Failed: the disk is full, or a file cannot be written or read.
        """
        with self.folder, self.stop.listening():
            try:
                optimise(self.trainer, self.steering)
                self._conclude()
            except OSError as error:
                raise Failed(
                    f"a file could not be written or read: {error}. What is finished is intact; mend it and resume."
                ) from error
            finally:
                self.parts.close()

    # -- the end of a run ---------------------------------------------------------------------------------

    def _conclude(self) -> None:
        if (self.folder.path / "evaluation.json").exists():
            return
        sets, goal = self.parts.sets, self.parts.experiment.goal
        trajectory = self.steering.trajectory
        self.watch.phase("choosing the checkpoint on the selection set")
        score = self._scorer(sets.selection) if sets.selection is not None else None
        choice = evaluation.choose(trajectory, goal, score)
        self.watch.phase("scoring the test images")
        rows = {"start": trajectory.start, "selected": trajectory.states[choice.state], "last": trajectory.scored[-1]}
        rows |= {f"depth {s.depth}": s for s in self._at_depth() if s.restorable}
        tables = {"feedback": self._feedback_table(rows)}
        if sets.selection is not None:
            tables["selection"] = SetTable(
                sets.selection.names,
                self.parts.objective(sets.selection, lambda name: None).facts,
                {label: Row(s.id, s.depth, choice.scores[s.id]) for label, s in rows.items() if s.id in choice.scores}
                | self.parts.reference_rows(sets.selection),
                sets.also_in("selection"),
            )
        for name, images in sets.test.items():
            tables[name] = self.test_table(name, images, rows)
        self.steering.finish(choice.state, choice.rule)
        evaluation.write_evaluation(self.folder.path, tables, list(self.parts.sets.overlaps))

    def _at_depth(self) -> tuple[State, ...]:
        """The state at the depth that another run is compared at, on the path to the last state."""
        path = self.steering.trajectory.path(self.steering.trajectory.scored[-1].id)
        return tuple(s for s in path if s.depth == self.also_depth)

    def _feedback_table(self, rows: Mapping[str, State]) -> SetTable:
        feedback = self.parts.sets.feedback
        table = {label: Row(s.id, s.depth, s.feedback or Feedback()) for label, s in rows.items()}
        return SetTable(
            feedback.names,
            self.objective.facts,
            table | self.parts.reference_rows(feedback),
            self.parts.sets.also_in("feedback"),
        )

    def _scorer(self, images: ImageSet) -> Callable[[State], Feedback]:
        pictures = Pictures(self.parts.sets.inputs(images), self.parts.application, self.parts.device)
        before = pictures.restore(self.network_of(self.steering.trajectory.start))
        objective = self.parts.objective(images, before.get)
        return lambda state: objective(pictures.restore(self.network_of(state)))

    def test_table(self, name: str, images: ImageSet, rows: Mapping[str, State]) -> SetTable:
        """Scores of chosen states on a test set; some pictures are kept for the report."""
        pictures = Pictures(self.parts.sets.inputs(images), self.parts.application, self.parts.device)
        before = pictures.restore(self.network_of(self.steering.trajectory.start))
        objective = self.parts.objective(images, before.get)
        folder = self.folder.path / "images" / name

        def keep(label: str, restored: Mapping[str, Pixels]) -> None:
            write_images(dict(list(restored.items())[:PICTURES_KEPT]), folder / label)

        table = evaluation.restored_rows(rows, self.network_of, pictures.restore, objective, keep)
        keep("input", self.parts.sets.inputs(images))
        if references := self.parts.sets.references(images):
            keep("reference", references)
        table |= self.parts.reference_rows(images)
        table["correlated-noise control"] = Row(None, None, objective(noisy(before, self.parts.experiment.seed)))
        return SetTable(images.names, objective.facts, table, self.parts.sets.also_in(name))

    def network_of(self, state: State) -> nn.Module:
        """A network of its own with the weights by which a state is scored."""
        if self._spare is None:
            self._spare = copy.deepcopy(self.parts.networks.scored)
        load_scored(self.parts.experiment, self.folder.path, state, self._spare)
        return self._spare

    def _start_picture(self, name: str) -> Pixels | None:
        """S_0's restored feedback image, for guards that compare with it."""
        file = self.folder.path / "images" / "state-0000" / f"{name}.png"
        return read_image(file) if file.exists() else None

    def _release(self, state: State) -> None:
        shutil.rmtree(self.folder.path / "checkpoints" / state.name, ignore_errors=True)


def noisy(images: Mapping[str, Pixels], seed: int) -> dict[str, Pixels]:
    """Images with a little correlated noise on them: what a no-reference metric can be made to say for nothing."""
    return {name: to_uint8(correlated_noise(from_uint8(image), seed)) for name, image in images.items()}


def steering_of(
    parts: Parts,
    log: Log,
    objective: Objective,
    release: Callable[[State], None] | None = None,
    on_event: Callable[[Trajectory], None] | None = None,
) -> Steering:
    """The steering of an experiment, on a log.

    Raises:
        Refused: what agent, goal and log do not allow together.
    """
    experiment = parts.experiment
    return Steering(
        agent=parts.agent,
        goal=experiment.goal,
        initial=experiment.initial,
        stages=experiment.training.stages,
        log=log,
        objective=objective,
        bounds=experiment.bounds,
        seed=experiment.seed,
        can_restart=True,
        keep=experiment.training.keep,
        release=release,
        surroundings=Surroundings(
            stage_iterations=experiment.training.iterations,
            tolerance=experiment.tolerance,
            ceiling=parts.ceiling,
            loss_facts=parts.loss_facts,
            guards=parts.guards,
        ),
        name=experiment.name,
        environment=environment.reproducibility(parts.device),
        on_event=on_event,
    )


def check_unchanged(parts: Parts, recorded: Mapping[str, Any]) -> None:
    """Holds a resumed run to the images that it began with.

    Raises:
        Refused: a set has other images, or other pixels, than ``environment.json`` says.
    """
    for role, images in parts.sets.record().items():
        now = {i["name"]: i["sha256"] for i in images}
        then = {i["name"]: i["sha256"] for i in recorded["image_sets"].get(role, [])}
        changed = sorted(name for name in now | then if now.get(name) != then.get(name))
        if changed:
            raise Refused(
                f"image set {role!r} is not what the run began with: {', '.join(changed[:5])}. "
                "Bring the files back, or begin a new run."
            )
