"""Rollback: a guard around any agent that takes back a stage which made things worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.repeats import unrepeated
from lossagent.agents.worsening import damaged, worsened
from lossagent.errors import Refused
from lossagent.records import Decision, State

BACK = "rollback"
"""Mark of a decision that went back."""
ACCEPTED = "patience"
"""Mark of a decision that went on from below the best state, which had been gone back to often enough."""


@dataclass(frozen=True)
class Rollback:
    """Asks the inner agent at the best state so far when the last stage was worse than its noise.

    *Worse*: the head against its parent, since a score depends on where a stage started; less the fixed run's change
    at the same depths, where it is known. See :func:`lossagent.agents.worsening.worsened`.

    *Back to*: the best restorable state, feasible before better, over the whole tree; the earliest of equals. The
    inner agent sees it as the head, so "previous weights" are that state's. States that were pruned are never chosen.

    *Not for ever*: scores that are noisy, or fall for a while under any weights, would hold a run at one state until
    its stages are spent. A state that was gone back to ``patience`` times is not gone back to again: the best state
    below it is accepted in its place, and the run goes on from there.

    *Never the same stage twice*: see :func:`lossagent.agents.repeats.unrepeated`.

    Attributes:
        agent: the agent that is guarded.
        tolerance: metric -> change that counts as noise, in score units; goes before the view's.
        drift: whether the fixed run's change is taken off, where it is known.
        patience: how often one state is gone back to, at least 1.
    """

    agent: Agent
    tolerance: Mapping[str, float] | None = None
    drift: bool = True
    patience: int = 2

    def __post_init__(self) -> None:
        for metric, value in (self.tolerance or {}).items():
            if not (math.isfinite(value) and value >= 0):
                raise Refused(f"tolerance of {metric!r} must be a finite number >= 0; found {value}.")
        if self.patience < 1:
            raise Refused(f"patience of the rollback guard must be at least 1; found {self.patience}.")

    @property
    def name(self) -> str:
        """``rollback(<inner>)``."""
        return f"rollback({self.agent.name})"

    @property
    def needs_restart(self) -> bool:
        """Always."""
        return True

    @property
    def needs_utility(self) -> bool:
        """Always."""
        return True

    def decide(self, view: View, recall: Recall) -> Decision:
        """The inner agent's decision at the head, or at the best state if the head is worse than its parent.

        Raises:
            Refused: the goal has no utility.
        """
        view.goal.require_utility(self.name)
        start, mark = self._start(view)
        seen = replace(view, head=start) if start.id != view.head.id else view
        decision = self.agent.decide(seen, recall)
        marks = (*decision.adjusted_by, mark) if mark is not None else decision.adjusted_by
        decision = decision.model_copy(update={"author": self.name, "adjusted_by": marks})
        return unrepeated(decision, seen)

    def _start(self, view: View) -> tuple[State, str | None]:
        """The state to go on from, and the mark of the decision."""
        best = best_restorable(view) if worsened(view, self.tolerance, self.drift) else None
        if best is None:
            return view.head, None
        start, mark = best, BACK
        while _returns(start, view) >= self.patience:
            below = _best_below(start, view)
            if below is None:
                break
            start, mark = below, ACCEPTED
        return start, mark if mark == ACCEPTED or start.id != view.head.id else None


def best_restorable(view: View) -> State | None:
    """The best scored state that a stage can start from; the earliest of equals, ``None`` if there is none."""
    return _best(view.trajectory.scored, view)


def _best(states: tuple[State, ...], view: View) -> State | None:
    start, there = view.trajectory.start.feedback, view.restorable
    best: tuple[tuple[float, float], State] | None = None
    for state in states:
        if start is None or state.feedback is None or state.id not in there:
            continue
        rank = view.rank(state)
        if best is None or rank > best[0]:
            best = (rank, state)
    return best[1] if best is not None else None


def _best_below(state: State, view: View) -> State | None:
    """The best state that descends from one, among those that training did not damage."""
    trajectory = view.trajectory
    below = (s for s in trajectory.scored if s.id != state.id and state in trajectory.path(s.id))
    return _best(tuple(s for s in below if not damaged(s)), view)


def _returns(state: State, view: View) -> int:
    """How often a state was gone back to; the stage right after it went on from it."""
    later = (c.decision for c in view.trajectory.children(state.id) if c.id > state.id + 1)
    return sum(1 for decision in later if decision is not None and {BACK, ACCEPTED} & set(decision.adjusted_by))


__all__ = ["ACCEPTED", "BACK", "Rollback", "best_restorable", "damaged", "worsened"]
