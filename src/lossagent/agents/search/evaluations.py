"""What a stage was worth: the evaluations that a black-box optimiser is told of, read from the trajectory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.agents.base import View
from lossagent.agents.comparing import gain
from lossagent.agents.rollback import damaged
from lossagent.records import State
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


def evaluations(view: View, credit: Credit, off: frozenset[str], newest: int | None = None) -> tuple[Evaluation, ...]:
    """Every stage of the whole tree that can be told, in the order of decisions.

    Left out are stages in which other losses were on, and those without a verdict: the state or what it is compared
    with has no score, and its report shows no damage (the expert may have been away).

    Args:
        view: what the agent sees.
        credit: ``"change"``: the change of utility against the parent, paired by image, less the change of the fixed
            run at that depth where it is known. ``"score"``: the same against S_0.
        off: losses that are off.
        newest: how many stages are looked at, from the newest backwards; ``None`` for all.
    """
    stages = [s for s in view.trajectory.scored if s.weights is not None and s.weights.off == off]
    told = (_evaluation(view, s, credit) for s in (stages if newest is None else stages[-newest:]))
    return tuple(e for e in told if e is not None)


def _evaluation(view: View, state: State, credit: Credit) -> Evaluation | None:
    assert state.weights is not None
    assert state.parent is not None
    base = view.trajectory.states[0 if credit == "score" else state.parent]
    change = gain(view, state, base) if base.feedback is not None else None
    miss = view.violation(state) if change is not None else 0.0
    if change is None or math.isinf(miss):
        return Evaluation(state.id, state.weights, None) if damaged(state) else None
    if miss == 0:
        return Evaluation(state.id, state.weights, change)
    before = view.violation(base) if credit == "change" else 0.0
    # A parent whose limits nobody can check says nothing of the change.
    return Evaluation(state.id, state.weights, change, miss if math.isinf(before) else miss - before)


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
