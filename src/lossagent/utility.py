"""The goal's number against noise: how its utility changed from one state to another, and which limits were kept."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lossagent.feedback import POOLED, Feedback
from lossagent.goal import Constraint, Goal
from lossagent.noise import Change, paired_change

UTILITY = "utility"


def utility_change(child: Feedback, parent: Feedback, goal: Goal, tolerance: float | None, seed: int) -> Change:
    """The change of the goal's utility, paired by image, in points of utility (a target's unit x importance).

    Args:
        child, parent: feedback on the two states.
        goal: which scores count, and how much.
        tolerance: change in points that counts as noise where the noise is not estimable.
        seed: of the resampling.
    """
    return paired_change(points(child, goal), points(parent, goal), UTILITY, tolerance, seed)


def points(feedback: Feedback, goal: Goal) -> Feedback:
    """Per image, the sum of importance x sign x score / unit; ``None`` where a target's score is missing.

    A score of the whole set counts with every image; alone, it is all there is.
    """
    targets = goal.scalar
    found = {image for t in targets for image in feedback.scores.get(t.metric, {})}
    known: dict[str, float | None] = {}
    for image in sorted(found - {POOLED} or found):
        parts: list[float] = []
        for target in targets:
            scores = feedback.scores.get(target.metric, {})
            score = scores.get(image, scores.get(POOLED))
            if score is not None:
                parts.append(target.importance * target.sign * score / target.unit)
        known[image] = sum(parts) if len(parts) == len(targets) else None
    return Feedback(scores={UTILITY: known}, conditions=feedback.conditions)


def utility_tolerance(goal: Goal, tolerance: Mapping[str, float]) -> float:
    """The targets' tolerances in points of utility; a target without one is given its unit."""
    return math.fsum(t.importance * tolerance.get(t.metric, t.unit) / t.unit for t in goal.scalar)


def limit_of(constraint: Constraint, start: Feedback | None, fixed: Feedback | None = None) -> float | None:
    """The score that a constraint asks for; ``None`` where what it is relative to has no such score.

    Args:
        constraint: absolute, or relative to the start or to the run under fixed weights.
        start: feedback on S_0.
        fixed: on the run under fixed weights, at the state's depth.
    """
    value = constraint.at_least if constraint.at_least is not None else constraint.at_most
    assert value is not None
    if constraint.relative_to == "absolute":
        return value
    base = start if constraint.relative_to == "start" else fixed
    score = base.mean(constraint.metric) if base is not None else None
    return None if score is None else score + value


def kept(constraint: Constraint, score: float | None, limit: float | None) -> bool | None:
    """Whether a score keeps a constraint's limit; ``None`` where either is missing."""
    if score is None or limit is None:
        return None
    return score >= limit if constraint.at_least is not None else score <= limit
