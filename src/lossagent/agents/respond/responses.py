"""What each stage did: the change of a quantity against the parent, and the weights that the stage was trained under."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lossagent.agents.base import View
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import State
from lossagent.utility import UTILITY, points, utility_tolerance
from lossagent.weights import Weights

FIXED = 0.25
"""Count of a stage of the fixed run: it tells of the drift, but its noise is another run's."""


@dataclass(frozen=True)
class Response:
    """One stage whose change is known; quantities are in points, counted from S_0, and higher is better.

    Attributes:
        weights: trained under.
        depth: of the state that it led to.
        base: the quantity at the parent.
        change: child less parent, paired by image.
        variance: of that change over the choice of images; ``None`` where a condition has a single image.
        age: stages decided since; 0 for the newest.
        count: of how many observations it stands for, before forgetting.
        own: whether it is a stage of this run, not of the fixed one.
    """

    weights: Weights
    depth: int
    base: float
    change: float
    variance: float | None
    age: int
    count: float = 1.0
    own: bool = True


@dataclass(frozen=True)
class Quantity:
    """What is modelled: the goal's utility, or the score of a constraint, turned so that higher is better.

    Attributes:
        goal: a goal whose utility it is.
    """

    goal: Goal

    @classmethod
    def constrained(cls, constraint: Constraint) -> Quantity:
        """The score that a constraint limits, in its unit."""
        direction = "higher" if constraint.at_least is not None else "lower"
        return cls(Goal(targets=(Target(metric=constraint.metric, direction=direction, unit=constraint.unit),)))

    def tolerance(self, view: View) -> float:
        """The change in points that counts as noise where nothing better is known."""
        return utility_tolerance(self.goal, view.tolerance)

    def value(self, state: State, view: View) -> float:
        """The quantity at a state; that of its nearest scored ancestor where it has no score."""
        start = view.trajectory.start.feedback
        for known in reversed(view.trajectory.path(state.id)):
            if known.feedback is not None and start is not None:
                change = paired(points(known.feedback, self.goal), points(start, self.goal))
                if change is not None:
                    return change[0]
        return 0.0


def responses(view: View, quantity: Quantity) -> tuple[Response, ...]:
    """The stages to learn from, oldest first; those of the fixed run, where it is known, before them.

    Left out are stages with a missing score, or without an image in common with their parent, and stages under other
    losses than those that are on now.
    """
    start, off = view.trajectory.start.feedback, view.previous.off
    if start is None:
        return ()
    goal = quantity.goal
    known = {s.id: points(s.feedback, goal) for s in view.trajectory.scored if s.feedback is not None}
    found = _of_fixed(view, goal, known[0]) if view.trajectory.initial.off == off else []
    for state in view.trajectory.states:
        if state.parent not in known or state.id not in known or state.weights is None or state.weights.off != off:
            continue
        change, base = paired(known[state.id], known[state.parent]), paired(known[state.parent], known[0])
        if change is not None and base is not None:
            age = view.next_id - 1 - state.id
            found.append(Response(state.weights, state.depth, base[0], change[0], change[1], age))
    return tuple(found)


def _of_fixed(view: View, goal: Goal, start: Feedback) -> list[Response]:
    known = {0: start} | {depth: points(feedback, goal) for depth, feedback in view.fixed.items() if depth > 0}
    found: list[Response] = []
    for depth in sorted(known.keys() - {0}):
        if depth - 1 not in known:
            continue
        change, base = paired(known[depth], known[depth - 1]), paired(known[depth - 1], start)
        if change is not None and base is not None:
            weights = view.trajectory.initial
            found.append(Response(weights, depth, base[0], change[0], change[1], 0, FIXED, own=False))
    return found


def paired(child: Feedback, parent: Feedback) -> tuple[float, float | None] | None:
    """Mean change of :func:`lossagent.utility.points` over common images, and the variance of that mean.

    Means are taken within conditions, then over them. ``None`` without a common image; the variance is ``None`` where
    a condition has a single one.
    """
    before, after = parent.scores[UTILITY], child.scores[UTILITY]
    groups: dict[str, list[float]] = {}
    for image, score in after.items():
        old = before.get(image)
        if score is not None and old is not None and math.isfinite(score) and math.isfinite(old):
            groups.setdefault(child.conditions.get(image, ""), []).append(score - old)
    if not groups:
        return None
    mean = float(np.mean([np.mean(group) for group in groups.values()]))
    if any(len(group) < 2 for group in groups.values()):
        return mean, None
    return mean, float(sum(np.var(group, ddof=1) / len(group) for group in groups.values())) / len(groups) ** 2
