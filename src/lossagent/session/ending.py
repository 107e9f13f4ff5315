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
from lossagent.objectives.base import Objective
from lossagent.records import State
from lossagent.runs import RunFolder
from lossagent.session.fixed import FixedRun, write_selection
from lossagent.session.last_word import last_word
from lossagent.session.memory import ScoreMemory, Seen
from lossagent.session.scoring import SetScoring
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
        memory: scores that other runs have taken, ``None`` for none.
    """

    parts: Parts
    folder: RunFolder
    steering: Steering
    objective: Objective
    gallery: Gallery
    watch: Watch
    fixed: FixedRun
    also_depth: int | None = None
    memory: ScoreMemory | None = None
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
                | self._scoring("selection", sets.selection).reference_rows(),
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
        selection = self.parts.sets.selection
        assert selection is not None
        scoring = self._scoring("selection", selection)
        return lambda state: scoring.of(state).feedback

    def _scoring(self, role: str, images: ImageSet, kept: int = 0) -> SetScoring:
        start = self.steering.trajectory.start
        return SetScoring(role, images, self.parts, self.gallery, self.network_of, start, self.memory, kept)

    def test_table(self, name: str, images: ImageSet, rows: Mapping[str, State]) -> SetTable:
        """Scores of chosen states on a test set; some pictures are kept for the report."""
        folder = self.folder.path / "images" / name
        people = self.parts.experiment.people
        kept = max(self.parts.experiment.pictures, people.final if people is not None else 0)
        scoring = self._scoring(name, images, kept)
        seen: dict[int, Seen] = {}
        table: dict[str, Row] = {}
        for label, state in rows.items():  # a state that has two labels is scored once
            seen[state.id] = seen.get(state.id) or scoring.of(state)
            write_images(seen[state.id].pictures, folder / label)
            table[label] = Row(state.id, state.depth, seen[state.id].feedback)
        if kept:
            shown = images.take(images.names[:kept])
            write_images(self.parts.sets.inputs(shown), folder / "input")
            if references := self.parts.sets.references(shown):
                write_images(references, folder / "reference")
        table |= scoring.reference_rows()
        table["correlated-noise control"] = Row(None, None, scoring.noisy(self.parts.experiment.seed))
        return SetTable(images.names, scoring.objective.facts, table, self.parts.sets.also_in(name), images.conditions)

    def network_of(self, state: State) -> nn.Module:
        """A network of its own with the weights by which a state is scored."""
        if self._spare is None:
            self._spare = copy.deepcopy(self.parts.networks.scored)
        load_scored(self.parts.experiment, self.folder.path, state, self._spare)
        return self._spare
