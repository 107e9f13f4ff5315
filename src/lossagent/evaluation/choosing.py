"""The choice of the checkpoint that a run keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lossagent.feedback import Feedback
from lossagent.goal import Goal
from lossagent.judgements import PREFERENCE, RATING
from lossagent.records import State
from lossagent.trajectory import Trajectory

PEOPLES = frozenset({PREFERENCE, RATING})
"""Metrics that people give, on the feedback images alone."""


@dataclass(frozen=True)
class Choice:
    """The state that is kept.

    Attributes:
        state: its id.
        rule: how it was chosen, in words.
        scores: state id -> feedback on the selection set, where there is one.
    """

    state: int
    rule: str
    scores: Mapping[int, Feedback] = field(default_factory=dict[int, Feedback])


def chosen_by_metrics(goal: Goal) -> bool:
    """Whether a checkpoint can be chosen by what metrics say: people's words and marks are of the feedback images."""
    return bool({t.metric for t in goal.kept_by.scalar} - PEOPLES)


def choose(
    trajectory: Trajectory,
    goal: Goal,
    score: Callable[[State], Feedback] | None,
    fixed: Mapping[int, Feedback] | None = None,
) -> Choice:
    """Picks the state to keep: feasible before better, by the goal (its proxy, where it has one), on the selection set.

    Args:
        trajectory: the states; those that are not restorable are left out.
        goal: what better means.
        score: feedback of a state on the selection set; without one the last state is taken, and said.
        fixed: depth -> feedback on the run under fixed weights on that set, for constraints relative to it.
    """
    last, goal = trajectory.scored[-1], goal.kept_by
    ours = [c for c in goal.constraints if c.metric in PEOPLES]
    goal = goal.model_copy(update={"constraints": tuple(c for c in goal.constraints if c not in ours)})
    if score is None:
        return Choice(last.id, "the last state: there is no selection set to choose by")
    if not goal.has_utility:
        return Choice(last.id, "the last state: the goal is a wish without a proxy metric")
    candidates = [s for s in trajectory.scored if s.restorable]
    scores = {s.id: score(s) for s in candidates}
    start = scores[0]
    if all(goal.utility(feedback, start) is None for feedback in scores.values()):
        why = "no score of the goal could be taken on the selection set"
        if {t.metric for t in goal.scalar} <= PEOPLES:
            why = "people judge the feedback images alone; goal.proxy may name a metric to choose by"
        return Choice(last.id, f"the last state: {why}", scores)
    best, (feasible, _) = best_state(goal, scores, {s.id: s.depth for s in candidates}, fixed or {})
    metrics = ", ".join(t.metric for t in goal.scalar)
    rule = f"best {metrics} on the selection set among {len(candidates)} states, S_0 included"
    if feasible < 0:
        rule += "; none of them keeps the constraints"
    if ours:
        names = ", ".join(dict.fromkeys(c.metric for c in ours))
        rule += f"; limits of {names} left out, for people judge the feedback images alone"
    return Choice(best, rule, scores)


def best_state(
    goal: Goal, scores: Mapping[int, Feedback], depths: Mapping[int, int], fixed: Mapping[int, Feedback]
) -> tuple[int, tuple[float, float]]:
    """The state that ranks best, the earliest of equals, and its rank (see :meth:`lossagent.goal.Goal.rank`).

    Args:
        goal: what better means.
        scores: state id -> feedback on the images to choose by; S_0 among them.
        depths: state id -> depth.
        fixed: depth -> feedback on the run under fixed weights, for constraints relative to it.
    """
    ranks = {i: goal.rank(found, scores[0], fixed.get(depths[i], Feedback())) for i, found in scores.items()}
    best = max(ranks, key=lambda i: (ranks[i], -i))
    return best, ranks[best]
