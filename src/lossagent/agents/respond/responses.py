"""What each stage did: the change of a quantity against the parent, and the weights it was trained under."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lossagent.agents.anchor import anchor_of, movable
from lossagent.agents.base import View
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import State
from lossagent.utility import UTILITY, points, utility_tolerance
from lossagent.weights import Weights


@dataclass(frozen=True)
class Response:
    """One stage whose change is known; quantities are in points, counted from S_0, and higher is better.

    Attributes:
        state: id of the state it led to; 0 for a stage of the fixed run.
        ratios: log(weight / weight of the anchor) for each loss that can be moved, see :func:`moved`.
        depth: of the state it led to.
        base: the quantity at the parent.
        change: child less parent, paired by image.
        variance: of that change over the choice of images; ``None`` where a condition has a single image.
        drift: the fixed run's change at the same depths, ``None`` where it is not known.
    """

    state: int
    ratios: tuple[float, ...]
    depth: int
    base: float
    change: float
    variance: float | None
    drift: float | None = None


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


@dataclass(frozen=True)
class Levels:
    """A quantity at every scored state.

    Attributes:
        points: state id -> per image, in points.
        over_start: state id -> mean over S_0, paired by image; without states that have no image in common with it.
    """

    points: Mapping[int, Feedback]
    over_start: Mapping[int, float]

    @classmethod
    def of(cls, view: View, quantity: Quantity) -> Levels:
        """The levels of a view; none where S_0 has no feedback."""
        start = view.trajectory.start.feedback
        if start is None:
            return cls({}, {})
        known = {s.id: points(s.feedback, quantity.goal) for s in view.trajectory.scored if s.feedback is not None}
        changes = {number: paired(level, known[0]) for number, level in known.items()}
        return cls(known, {number: change[0] for number, change in changes.items() if change is not None})

    def at(self, state: State, view: View) -> float:
        """The level of a state over S_0; that of its nearest ancestor with a score where it has none."""
        path = reversed(view.trajectory.path(state.id))
        return next((self.over_start[s.id] for s in path if s.id in self.over_start), 0.0)


def moved(view: View) -> tuple[str, ...]:
    """The losses that a response is learned for: those on that are neither frozen nor the anchor."""
    previous = view.previous
    return tuple(n for n in movable(previous, view.bounds) if n not in previous.off)


def responses(view: View, quantity: Quantity | None = None, levels: Levels | None = None) -> tuple[Response, ...]:
    """The stages to learn from, oldest first.

    Left out are stages with a missing score, or without an image in common with their parent, and stages under other
    losses than those that are on now.

    Args:
        view: what is known; nothing is found where the goal has no utility.
        quantity: what changed; the utility by default.
        levels: of that quantity, where they are known already.
    """
    quantity = quantity or Quantity(view.goal)
    if not quantity.goal.has_utility:
        return ()
    levels = levels or Levels.of(view, quantity)
    beside = {r.depth: r.change for r in fixed_responses(view, quantity)}
    found: list[Response] = []
    for state in view.trajectory.states:
        weights, parent = state.weights, state.parent
        if weights is None or parent is None or weights.off != view.previous.off:
            continue
        if parent not in levels.over_start or state.id not in levels.points:
            continue
        if change := paired(levels.points[state.id], levels.points[parent]):
            ratios, base = _ratios(view, weights), levels.over_start[parent]
            found.append(Response(state.id, ratios, state.depth, base, change[0], change[1], beside.get(state.depth)))
    return tuple(found)


def fixed_responses(view: View, quantity: Quantity) -> tuple[Response, ...]:
    """The stages of the run under the initial weights, where it is known and has the losses that are on now."""
    start, initial = view.trajectory.start.feedback, view.trajectory.initial
    if not view.fixed or start is None or initial.off != view.previous.off:
        return ()
    first, goal = points(start, quantity.goal), quantity.goal
    known = {0: first} | {depth: points(feedback, goal) for depth, feedback in view.fixed.items() if depth > 0}
    found: list[Response] = []
    for depth in sorted(known.keys() - {0}):
        if depth - 1 not in known:
            continue
        change, base = paired(known[depth], known[depth - 1]), paired(known[depth - 1], first)
        if change is not None and base is not None:
            found.append(Response(0, _ratios(view, initial), depth, base[0], change[0], change[1], change[0]))
    return tuple(found)


def _ratios(view: View, weights: Weights) -> tuple[float, ...]:
    logs = weights.log_ratios(anchor_of(view.previous, view.bounds))
    return tuple(logs[n] for n in moved(view))


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
