"""The end of a run: the choice of the checkpoint, and tables of the sets kept apart."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from lossagent import evaluation
from lossagent.build import Parts
from lossagent.build.networks import load_scored
from lossagent.data import ImageSet
from lossagent.evaluation import Row, SetTable
from lossagent.feedback import Feedback
from lossagent.metrics import correlated_noise
from lossagent.objectives.base import Objective, Pixels
from lossagent.records import State
from lossagent.restorers import from_uint8, to_uint8
from lossagent.runs import RunFolder
from lossagent.session.fixed import FixedRun, write_selection
from lossagent.session.last_word import last_word
from lossagent.session.watch import Watch
from lossagent.steering import Steering
from lossagent.training.gallery import Gallery
from lossagent.training.pictures import write_images


@dataclass
class Ending:
    """Chooses and evaluates.

    Attributes:
        parts, folder, steering, watch: of the run.
        objective: of the feedback images.
        gallery: restores and scores the other sets.
        fixed: the run under fixed weights that constraints are relative to.
        also_depth: a depth whose state is evaluated too, to stand beside another run's selected state.
    """

    parts: Parts
    folder: RunFolder
    steering: Steering
    objective: Objective
    gallery: Gallery
    watch: Watch
    fixed: FixedRun
    also_depth: int | None = None
    _spare: nn.Module | None = None

    def conclude(self) -> None:
        """Writes ``evaluation.json`` and records the choice, once; then people have the last word.

        Raises:
            Waiting: they have not said it yet.
        """
        if not self.evaluated:
            self._evaluate()
        elif (state := self._lacking()) is not None:
            self._add(state)
        last_word(self.parts, self.folder.path, self.steering)

    @property
    def evaluated(self) -> bool:
        """Whether the tables are written."""
        return (self.folder.path / evaluation.FILE).exists()

    def _lacking(self) -> State | None:
        """The state at another run's depth, where the tables have no row of it yet."""
        found = next((s for s in self._at_depth() if s.restorable), None)
        if found is None or evaluation.has_row(self.folder.path, f"depth {found.depth}"):
            return None
        return found

    def _add(self, state: State) -> None:
        """One more row in the tables: this run at the depth at which another one was selected."""
        self.watch.phase(f"scoring depth {state.depth} on the test images, to stand beside another run")
        label = f"depth {state.depth}"
        tables = {"feedback": self._feedback_table({label: state})}
        for name, images in self.parts.sets.test.items():
            tables[name] = self.test_table(name, images, {label: state})
        evaluation.add_row(self.folder.path, tables, label)

    def _evaluate(self) -> None:
        sets, goal = self.parts.sets, self.parts.experiment.goal
        trajectory = self.steering.trajectory
        self.watch.phase("choosing the checkpoint on the selection set")
        score = self._scorer() if sets.selection is not None else None
        choice = evaluation.choose(trajectory, goal, score, self.fixed.selection)
        write_selection(self.folder.path, choice.scores, {s.id: s.depth for s in trajectory.states})
        self.watch.phase("scoring the test images")
        rows = {"start": trajectory.start, "selected": trajectory.states[choice.state], "last": trajectory.scored[-1]}
        rows |= {f"depth {s.depth}": s for s in self._at_depth() if s.restorable}
        tables = {"feedback": self._feedback_table(rows)}
        if sets.selection is not None:
            tables["selection"] = SetTable(
                sets.selection.names,
                self.gallery.objective("selection", lambda name: None).facts,
                {label: Row(s.id, s.depth, choice.scores[s.id]) for label, s in rows.items() if s.id in choice.scores}
                | self.parts.reference_rows(sets.selection),
                sets.also_in("selection"),
                sets.selection.conditions,
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
            feedback.conditions,
        )

    def _scorer(self) -> Callable[[State], Feedback]:
        before = self.gallery.restore("selection", self.network_of(self.steering.trajectory.start))
        objective = self.gallery.objective("selection", before.get)
        return lambda state: objective(self.gallery.restore("selection", self.network_of(state)))

    def test_table(self, name: str, images: ImageSet, rows: Mapping[str, State]) -> SetTable:
        """Scores of chosen states on a test set; some pictures are kept for the report."""
        before = self.gallery.restore(name, self.network_of(self.steering.trajectory.start))
        objective = self.gallery.objective(name, before.get)
        folder = self.folder.path / "images" / name
        people = self.parts.experiment.people
        kept = max(self.parts.experiment.pictures, people.final if people is not None else 0)

        def keep(label: str, restored: Mapping[str, Pixels]) -> None:
            write_images(dict(list(restored.items())[:kept]), folder / label)

        table = evaluation.restored_rows(
            rows, self.network_of, lambda network: self.gallery.restore(name, network), objective, keep
        )
        keep("input", self.parts.sets.inputs(images))
        if references := self.parts.sets.references(images):
            keep("reference", references)
        table |= self.parts.reference_rows(images)
        table["correlated-noise control"] = Row(None, None, objective(noisy(before, self.parts.experiment.seed)))
        return SetTable(images.names, objective.facts, table, self.parts.sets.also_in(name), images.conditions)

    def network_of(self, state: State) -> nn.Module:
        """A network of its own with the weights by which a state is scored."""
        if self._spare is None:
            self._spare = copy.deepcopy(self.parts.networks.scored)
        load_scored(self.parts.experiment, self.folder.path, state, self._spare)
        return self._spare


def noisy(images: Mapping[str, Pixels], seed: int) -> dict[str, Pixels]:
    """Images with a little correlated noise on them: what a no-reference metric can be made to say for nothing."""
    return {name: to_uint8(correlated_noise(from_uint8(image), seed)) for name, image in images.items()}
