"""The weights on the way to a state of a run, as a table and as an experiment that needs no agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lossagent.agents.plans import Table
from lossagent.build.networks import chosen_state
from lossagent.errors import Refused
from lossagent.experiment import Experiment, load, parse
from lossagent.experiment.unasked import unasked
from lossagent.runs import is_run, read_trajectory


@dataclass(frozen=True)
class Found:
    """A schedule that a run has found.

    Attributes:
        state: the state that it leads to.
        rows: weights of stage 1, 2, ...: loss -> weight, 0 for off.
        experiment: the run's, under the schedule in place of its agent.
        notes: why the schedule may not lead to the same checkpoint, one sentence each; none where it does.
    """

    state: int
    rows: tuple[Mapping[str, float], ...]
    experiment: Experiment
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table as Markdown."""
        names = list(self.rows[0])
        lines = ["| " + " | ".join(["stage", *names]) + " |", "|---" * (len(names) + 1) + "|"]
        lines += ["| " + " | ".join(cells) + " |" for cells in self._cells()]
        return "\n".join(lines)

    def csv(self) -> str:
        """The table as comma-separated values, with a line of names."""
        return "\n".join([",".join(["stage", *self.rows[0]]), *(",".join(cells) for cells in self._cells())])

    def _cells(self) -> list[list[str]]:
        return [[str(n), *(repr(w) for w in row.values())] for n, row in enumerate(self.rows, 1)]

    def yaml(self) -> str:
        """The experiment file; weights have all their digits."""
        comment = "".join(f"# {note}\n" for note in self.notes)
        return comment + yaml.safe_dump(self.experiment.dump(), sort_keys=False)


def schedule_of(run: Path, which: str = "selected") -> Found:
    """The schedule on the way from S_0 to a state of a run.

    The experiment has the table for an agent, as many stages as the path, no bounds, nobody to ask, and all else as it
    was: it trains the same stages on the same data.

    Args:
        run: the run folder of an experiment.
        which: ``selected``, ``last``, or the number of a state.

    Raises:
        Refused: no run of an experiment, no such state, or S_0, to which no stage leads.
    """
    if not is_run(run):
        raise Refused(f"{run} is no run folder: it has no experiment.yaml.")
    experiment = load(run / "experiment.yaml")
    state = chosen_state(run, which)
    trajectory = read_trajectory(run)
    if state.depth == 0:
        raise Refused(
            f"the {which} state of {run} is S_0, the network before training: there is no schedule that leads to it. "
            "Name another state: --state last."
        )
    rows = tuple(Table.of(trajectory, state.id).rows)
    decisions = [s.decision for s in trajectory.path(state.id) if s.decision is not None]
    notes = [
        f"stage {n} was trained on another window of data (replicate {d.replicate}); a schedule trains on the first "
        "one, so the checkpoint will not be the same."
        for n, d in enumerate(decisions, 1)
        if d.replicate
    ]
    return Found(state.id, rows, parse(_scheduled(experiment, rows)), tuple(notes))


def _scheduled(experiment: Experiment, rows: tuple[Mapping[str, float], ...]) -> dict[str, Any]:
    data = unasked(experiment.dump())
    data["name"] = f"{experiment.name}-schedule"
    data["agent"] = {"kind": "schedule", "shape": "table", "table": [dict(row) for row in rows]}
    # The weights were within the bounds when they were decided; projected again, an end could be rounded otherwise.
    data["bounds"] = {"low": None, "high": None, "trust": None}
    data["training"]["stages"] = len(rows)
    for name, weight in rows[0].items():
        if weight != experiment.initial[name]:  # a person set the first weights
            data["losses"][name]["weight"] = weight
    return data
