"""What a finished run under fixed weights says, for constraints relative to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lossagent.errors import Damaged, Refused
from lossagent.evaluation import chosen_by_metrics
from lossagent.experiment import Experiment, load
from lossagent.feedback import Feedback
from lossagent.goal import Constraint
from lossagent.runs import is_run, read_trajectory, write_atomically

SELECTION = "selection.json"
KEPT = "fixed.json"
SIDES = ("feedback", "selection")
HARMLESS = frozenset({"stages", "keep", "threads", "log_every", "partial_every", "deterministic"})
"""Settings of training that change no state."""


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


def read_selection(run: Path) -> dict[int, Feedback]:
    """State id -> the scores by which the checkpoint was chosen; empty where there are none.

    Raises:
        Damaged: the file is not what was written.
    """
    try:
        return {line.state: line.feedback for line in _lines(run)}
    except ValueError as error:
        raise Damaged(f"{run / SELECTION} cannot be read: {str(error).splitlines()[0]}") from error


def read_fixed(experiment: Experiment, image_sets: Mapping[str, object]) -> FixedRun:
    """The run that ``fixed_run`` names; an empty one where it names none, or no constraint is relative to it.

    Args:
        experiment: of the run that is compared with it.
        image_sets: its image sets, as ``environment.json`` records them.

    Raises:
        Refused: it is not finished, not under fixed weights, trained otherwise than this run, or scored on other
            images or metrics than are needed.
    """
    run = experiment.fixed_run
    if run is None:
        return FixedRun()
    if not is_run(run):
        raise Refused(f"fixed_run: {run} is no run folder: it has no experiment.yaml.")
    if not relative(experiment):
        return FixedRun()
    trajectory = read_trajectory(run)
    if trajectory.finished is None:
        raise Refused(f"fixed_run: {run} is not finished. Go on with it first: lossagent resume {run}")
    path = trajectory.path(trajectory.last.id)
    if len(path) != len(trajectory.states) or any(s.weights not in (None, experiment.initial) for s in path):
        raise Refused(f"fixed_run: {run} did not keep to the fixed weights {experiment.initial}; name another run.")
    _refuse_other(experiment, run, image_sets)
    found = FixedRun({s.depth: s.feedback for s in path if s.feedback is not None}, _selection(run))
    _refuse_gaps(experiment, found, run)
    return found


def relative(experiment: Experiment) -> tuple[Constraint, ...]:
    """The constraints that are relative to the fixed run."""
    return tuple(c for c in experiment.goal.constraints if c.relative_to == "fixed")


def kept(run: Path) -> FixedRun | None:
    """What a run folder has kept of its fixed run; ``None`` where it has nothing."""
    file = run / KEPT
    if not file.exists():
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        sides = {side: {int(d): Feedback.model_validate(f) for d, f in data[side].items()} for side in SIDES}
    except (ValueError, KeyError) as error:
        raise Damaged(f"{file} is not what was written: {str(error).splitlines()[0]}") from error
    return FixedRun(**sides)


def keep(run: Path, fixed: FixedRun) -> None:
    """Keeps the fixed run's scores in a run folder, which is then enough to go on."""
    if fixed.feedback:
        sides = {side: {d: f.model_dump(mode="json") for d, f in getattr(fixed, side).items()} for side in SIDES}
        write_atomically(run / KEPT, json.dumps(sides, indent=1))


def _refuse_other(experiment: Experiment, run: Path, image_sets: Mapping[str, object]) -> None:
    """Refuses a run that the same depth means something else in."""
    ours, theirs = _telling(experiment.dump()), _telling(load(run / "experiment.yaml").dump())
    if different := [key for key, value in ours.items() if theirs[key] != value]:
        key = different[0]
        raise Refused(
            f"fixed_run: {run} was made otherwise: {key} is {str(theirs[key])[:80]} there and "
            f"{str(ours[key])[:80]} here. A limit relative to it would compare unlike things; run the fixed weights "
            "with this experiment (--beside fixed)."
        )
    recorded = json.loads((run / "environment.json").read_text(encoding="utf-8"))["image_sets"]
    ours_recorded = json.loads(json.dumps(image_sets))
    for role in ("train", "feedback", "selection"):
        if recorded.get(role) != ours_recorded.get(role):
            raise Refused(f"fixed_run: {run} has other images in its set {role!r}; run it on these (--beside fixed).")


def _telling(data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings on which it depends what a stage is."""
    training = {f"training.{k}": v for k, v in data["training"].items() if k not in HARMLESS}
    return {key: data[key] for key in ("scale", "seed", "restorer", "losses")} | training


def _refuse_gaps(experiment: Experiment, fixed: FixedRun, run: Path) -> None:
    sides = {"feedback": fixed.feedback}
    if experiment.data.selection is not None and chosen_by_metrics(experiment.goal):
        sides["selection"] = fixed.selection
    for constraint in relative(experiment):
        for side, scores in sides.items():
            for depth in range(experiment.training.stages + 1):
                if depth not in scores or scores[depth].mean(constraint.metric) is None:
                    raise Refused(
                        f"fixed_run: {run} has no score of {constraint.metric!r} on its {side} images at depth "
                        f"{depth}, and a constraint is relative to it. It needs that metric among its guards, as many "
                        "stages, and training.keep: null; --beside fixed makes such a run."
                    )


def _selection(run: Path) -> dict[int, Feedback]:
    try:
        return {line.depth: line.feedback for line in _lines(run)}
    except ValueError as error:
        raise Refused(f"fixed_run: {run / SELECTION} cannot be read: {str(error).splitlines()[0]}") from error


def _lines(run: Path) -> list[Selected]:
    file = run / SELECTION
    if not file.exists():
        return []
    return [Selected.model_validate(line) for line in json.loads(file.read_text(encoding="utf-8"))]
