"""What a finished run under fixed weights says, for constraints relative to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lossagent.errors import Refused
from lossagent.experiment import Experiment
from lossagent.feedback import Feedback
from lossagent.runs import read_trajectory, write_atomically

SELECTION = "selection.json"


class Selected(BaseModel):
    """Scores of one state on the selection set.

    Attributes:
        state, depth: which.
        feedback: its scores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    state: int
    depth: int
    feedback: Feedback


@dataclass(frozen=True)
class FixedRun:
    """A run under fixed weights.

    Attributes:
        feedback: depth -> feedback on the feedback images.
        selection: depth -> feedback on the selection set; empty where there is none.
    """

    feedback: Mapping[int, Feedback] = field(default_factory=dict[int, Feedback])
    selection: Mapping[int, Feedback] = field(default_factory=dict[int, Feedback])


def write_selection(run: Path, scores: Mapping[int, Feedback], depths: Mapping[int, int]) -> None:
    """Keeps the scores by which a checkpoint was chosen.

    Args:
        run: the run folder.
        scores: state id -> feedback on the selection set.
        depths: state id -> depth.
    """
    lines = [Selected(state=i, depth=depths[i], feedback=f).model_dump(mode="json") for i, f in scores.items()]
    write_atomically(run / SELECTION, json.dumps(lines, indent=1))


def read_fixed(experiment: Experiment) -> FixedRun:
    """The run that ``fixed_run`` names; an empty one where it names none.

    Raises:
        Refused: it is not finished, not under fixed weights, or scored on other images or metrics than are needed.
    """
    run = experiment.fixed_run
    if run is None:
        return FixedRun()
    trajectory = read_trajectory(run)
    if trajectory.finished is None:
        raise Refused(f"fixed_run: {run} is not finished. Go on with it first: lossagent resume {run}")
    path = trajectory.path(trajectory.last.id)
    if len(path) != len(trajectory.states) or any(s.weights not in (None, experiment.initial) for s in path):
        raise Refused(f"fixed_run: {run} did not keep to the fixed weights {experiment.initial}; name another run.")
    feedback = {s.depth: s.feedback for s in path if s.feedback is not None}
    for constraint in experiment.goal.constraints:
        if constraint.relative_to != "fixed":
            continue
        if lacking := [d for d, f in feedback.items() if f.mean(constraint.metric) is None]:
            raise Refused(
                f"fixed_run: {run} has no score of {constraint.metric!r} at depth {lacking[0]}, which a constraint is "
                "relative to. Add it to the guards of that run."
            )
    return FixedRun(feedback, _selection(run))


def _selection(run: Path) -> dict[int, Feedback]:
    file = run / SELECTION
    if not file.exists():
        return {}
    try:
        lines = [Selected.model_validate(line) for line in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, ValidationError) as error:
        raise Refused(f"fixed_run: {file} cannot be read: {str(error).splitlines()[0]}") from error
    return {line.depth: line.feedback for line in lines}
