"""What the reward-hacking alarm judges a run by, read from its folder."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import ValidationError

from lossagent.alarm import Lookout, Sign, signs
from lossagent.feedback import Feedback
from lossagent.goal import Goal
from lossagent.report.numbers import mean
from lossagent.report.reading import EvaluatedSet, RunData, section
from lossagent.report.sets import GROUND_TRUTH, row_at_depth, sets_of


def goal_of(run: RunData) -> Goal | None:
    """The goal of the experiment; ``None`` where it cannot be read."""
    try:
        return Goal.model_validate(run.experiment.get("goal"))
    except ValidationError:
        return None


def lookout_of(run: RunData, fixed: RunData | None, set_name: str) -> Lookout | None:
    """What states are judged by on one image set; ``None`` where the goal is not known.

    Args:
        run: the run.
        fixed: the run under fixed weights beside it, if there is one.
        set_name: an evaluated set, or ``"feedback"``.
    """
    goal = goal_of(run)
    if goal is None:
        return None
    targets = {t.metric for t in goal.scalar}
    seed = run.experiment.get("seed")
    return Lookout(
        goal=goal,
        metrics=run.facts,
        guards=frozenset(run.facts) - targets,
        tolerance=_tolerance(run),
        ceiling=_ceiling(sets_of(run).get(set_name)) or (_recorded_ceiling(run) if set_name == "feedback" else {}),
        seed=seed if isinstance(seed, int) and seed >= 0 else 0,
        fixed=fixed_at(fixed, set_name),
    )


def run_signs(run: RunData, fixed: RunData | None) -> Mapping[int, tuple[Sign, ...]]:
    """state -> signs on the feedback images that its objective is being played."""
    lookout, start = lookout_of(run, fixed, "feedback"), run.trajectory.start.feedback
    if lookout is None or start is None:
        return {}
    known = {s.id: s.feedback for s in run.trajectory.states if s.feedback is not None and s.id != 0}
    return signs(known, start, lookout, {s.id: s.depth for s in run.trajectory.states})


def fixed_at(fixed: RunData | None, set_name: str) -> dict[int, Feedback]:
    """depth -> scores of the run under fixed weights on a set, at the depths at which it was scored there."""
    if fixed is None:
        return {}
    conditions = sets_of(fixed).get(set_name, EvaluatedSet()).conditions
    depths = {s.depth for s in fixed.trajectory.states}
    rows = {depth: row_at_depth(fixed, set_name, depth) for depth in sorted(depths)}
    return {d: Feedback(scores=row.scores, conditions=conditions) for d, row in rows.items() if row is not None}


def _tolerance(run: RunData) -> dict[str, float]:
    found = section(run.experiment, "tolerance").items()
    return {m: float(v) for m, v in found if isinstance(v, int | float) and v >= 0}


def _recorded_ceiling(run: RunData) -> dict[str, float]:
    """Scores of the feedback images' ground truth as the run began, for one that is not evaluated yet."""
    found = section(run.environment, "ceiling").items()
    return {m: float(v) for m, v in found if isinstance(v, int | float) and math.isfinite(v)}


def _ceiling(one: EvaluatedSet | None) -> dict[str, float]:
    """Scores of the ground truth in metrics that look at one image alone."""
    truth = one.rows.get(GROUND_TRUTH) if one is not None else None
    if one is None or truth is None:
        return {}
    alone = [m for m in truth.scores if m not in one.metrics or not one.metrics[m].needs_reference]
    means = {m: mean(truth.scores[m], one.conditions) for m in alone}
    return {m: value for m, value in means.items() if value is not None}
