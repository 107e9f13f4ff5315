"""Rollback: a guard around any agent that takes back a stage which made things worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.repeats import unrepeated
from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.records import Decision, State
from lossagent.utility import utility_change, utility_tolerance


@dataclass(frozen=True)
class Rollback:
    """Asks the inner agent at the best state so far when the last stage was worse than its noise.

    *Worse*: the head is compared with its parent, since a score depends on where a stage started. A head that
    breaks a constraint which its parent keeps is worse; where both break some, the one that misses by more (beyond
    the tolerances) is. Else the utility decides, paired by image: worse if it fell by more than its noise
    (:func:`lossagent.noise.paired_change`). With fewer than 8 images the tolerances stand in, and a target without
    one is given its unit.

    *A missing score* is no verdict on the network: the expert may have been away. It counts as worse only if the
    parent has that score and the head's own report shows damage: a raw loss that is not finite, or every step skipped.

    *Back to*: the best restorable state, feasible before better, over the whole tree; the earliest of equals. The
    inner agent sees it as the head, so "previous weights" are that state's. States that were pruned are never chosen.

    *Never the same stage twice*: see :func:`lossagent.agents.repeats.unrepeated`.

    Attributes:
        agent: the agent that is guarded.
        tolerance: metric -> change that counts as noise, in score units; goes before the view's.
    """

    agent: Agent
    tolerance: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for metric, value in (self.tolerance or {}).items():
            if not (math.isfinite(value) and value >= 0):
                raise Refused(f"tolerance of {metric!r} must be a finite number >= 0; found {value}.")

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
        start = self._start(view)
        back = start.id != view.head.id
        seen = replace(view, head=start) if back else view
        decision = self.agent.decide(seen, recall)
        marks = (*decision.adjusted_by, "rollback") if back else decision.adjusted_by
        decision = decision.model_copy(update={"author": self.name, "adjusted_by": marks})
        return unrepeated(decision, seen)

    def _start(self, view: View) -> State:
        if view.head.parent is None or not self._worse(view):
            return view.head
        return best_restorable(view) or view.head

    def _worse(self, view: View) -> bool:
        head, goal = view.head, view.goal
        assert head.parent is not None
        parent = view.trajectory.states[head.parent]
        start = view.trajectory.start.feedback
        if head.feedback is None or parent.feedback is None or start is None:
            return False
        if _has_scores(parent.feedback, view) and not _has_scores(head.feedback, view):
            return damaged(head)
        now, before = view.violation(head), view.violation(parent)
        slack = sum(self._tolerance(view, c.metric) / c.unit for c in goal.constraints)
        if now > 0 and (before == 0 or now > before + slack):
            return True
        if now < before - slack:
            return False
        tolerance = utility_tolerance(goal, {**view.tolerance, **(self.tolerance or {})})
        change = utility_change(head.feedback, parent.feedback, goal, tolerance, view.seed)
        return change.mean is not None and change.mean < 0 and bool(change.exceeds)

    def _tolerance(self, view: View, metric: str) -> float:
        own = self.tolerance or {}
        return own.get(metric, view.tolerance.get(metric, 0.0))


def best_restorable(view: View) -> State | None:
    """The best scored state that a stage can start from; the earliest of equals, ``None`` if there is none."""
    start = view.trajectory.start.feedback
    best: tuple[tuple[float, float], State] | None = None
    for state in view.trajectory.scored:
        if start is None or state.feedback is None or state.id not in view.restorable:
            continue
        rank = view.rank(state)
        if best is None or rank > best[0]:
            best = (rank, state)
    return best[1] if best is not None else None


def damaged(state: State) -> bool:
    """Whether a state's report shows that training went wrong: a raw loss not finite, or every step skipped."""
    report = state.report
    if report is None:
        return False
    numbers = (*report.losses.values(), *report.evidence.raw.values())
    return any(not math.isfinite(x) for x in numbers) or 0 < report.iterations <= report.skipped


def _has_scores(feedback: Feedback, view: View) -> bool:
    return all(feedback.mean(target.metric) is not None for target in view.goal.scalar)
