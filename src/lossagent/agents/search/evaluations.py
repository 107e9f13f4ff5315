"""What a stage was worth: the evaluations that a black-box optimiser is told of, read from the trajectory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.agents.base import View
from lossagent.agents.rollback import damaged
from lossagent.feedback import Feedback
from lossagent.noise import paired_change
from lossagent.records import State
from lossagent.utility import UTILITY, points
from lossagent.weights import Weights

Credit = Literal["change", "score"]
"""What a stage is credited with: the change against its parent, or the score of its state."""
POINT = 1.0
"""How far below the others the best of the next worse kind is put, in points of utility."""


@dataclass(frozen=True)
class Evaluation:
    """One stage as an optimiser sees it.

    Attributes:
        state: id of the state that it led to.
        weights: what was trained with, which bounds or a person may have made other than what was asked for.
        utility: points of utility that it is credited with; ``None`` where training broke, which is the worst.
        miss: by how much it misses the constraints, ``None`` where it keeps them.
    """

    state: int
    weights: Weights
    utility: float | None
    miss: float | None = None


def evaluations(view: View, credit: Credit, off: frozenset[str]) -> tuple[Evaluation, ...]:
    """Every stage of the whole tree that can be told, in the order of decisions.

    Left out are stages in which other losses were on, and those without a verdict: the state or what it is compared
    with has no score, and its report shows no damage (the expert may have been away).

    Args:
        view: what the agent sees.
        credit: ``"change"``: the change of utility against the parent, paired by image, less the change of the fixed
            run at that depth where it is known. ``"score"``: the same against S_0.
        off: losses that are off.
    """
    read = _Reader(view, credit)
    found = (read(s) for s in view.trajectory.scored if s.weights is not None and s.weights.off == off)
    return tuple(e for e in found if e is not None)


def graded(told: Sequence[Evaluation]) -> tuple[float, ...]:
    """One number for each evaluation, larger is better: feasible first, then utility; broken ones last.

    An infeasible one gets the worst feasible value, less one point, less what it misses the constraints by beyond
    the one that misses least (feasibility rules of Deb, CMAME 186, 2000); a broken one a point less than all others.
    """
    kept = [e.utility for e in told if e.utility is not None and e.miss is None]
    missed = [e.miss for e in told if e.utility is not None and e.miss is not None]
    ceiling = min(kept, default=0.0) - POINT
    least = min(missed, default=0.0)
    lowest = ceiling - (max(missed) - least) if missed else min(kept, default=0.0)
    values: list[float] = []
    for e in told:
        if e.utility is None:
            values.append(lowest - POINT)
        else:
            values.append(e.utility if e.miss is None else ceiling - (e.miss - least))
    return tuple(values)


class _Reader:
    """Reads states one by one; the scores of each state are turned into points once."""

    def __init__(self, view: View, credit: Credit) -> None:
        self.view, self.credit = view, credit
        self._points: dict[int, Feedback] = {}
        self._drift: dict[int, float] = {}

    def __call__(self, state: State) -> Evaluation | None:
        """The evaluation of a scored state, ``None`` where there is no verdict."""
        assert state.weights is not None
        assert state.parent is not None
        states = self.view.trajectory.states
        base = states[0] if self.credit == "score" else states[state.parent]
        change = self._change(state, base)
        miss = 0.0 if change is None else self.view.violation(state)
        if change is None or math.isinf(miss):
            return Evaluation(state.id, state.weights, None) if damaged(state) else None
        if miss == 0:
            return Evaluation(state.id, state.weights, change - self._drift_at(state.depth))
        before = self.view.violation(base) if self.credit == "change" else 0.0
        # A parent whose limits nobody can check says nothing of the change.
        miss = miss if math.isinf(before) else miss - before
        return Evaluation(state.id, state.weights, change - self._drift_at(state.depth), miss)

    def _change(self, state: State, base: State) -> float | None:
        if base.feedback is None:
            return None
        # One resample: the interval is not looked at.
        return paired_change(self._at(state), self._at(base), UTILITY, None, seed=0, resamples=1).mean

    def _at(self, state: State) -> Feedback:
        if state.id not in self._points:
            assert state.feedback is not None
            self._points[state.id] = points(state.feedback, self.view.goal)
        return self._points[state.id]

    def _drift_at(self, depth: int) -> float:
        """What the fixed run gained on the way to a depth; 0 where it is not known."""
        if depth not in self._drift:
            fixed, goal = self.view.fixed, self.view.goal
            earlier = 0 if self.credit == "score" else depth - 1
            gain = None
            if depth in fixed and earlier in fixed:
                here, there = points(fixed[depth], goal), points(fixed[earlier], goal)
                gain = paired_change(here, there, UTILITY, None, seed=0, resamples=1).mean
            self._drift[depth] = gain or 0.0
        return self._drift[depth]
