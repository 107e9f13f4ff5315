"""Whether a state is better than another, for agents that follow every rise, within noise or not."""

from __future__ import annotations

from lossagent.agents.base import View
from lossagent.agents.rollback import damaged
from lossagent.feedback import Feedback
from lossagent.noise import paired_change
from lossagent.records import State
from lossagent.utility import UTILITY, points


def has_scores(state: State, view: View) -> bool:
    """Whether a state has a score of every target."""
    feedback = state.feedback
    return feedback is not None and all(feedback.mean(target.metric) is not None for target in view.goal.scalar)


def improved(view: View, state: State, against: State) -> bool | None:
    """Whether a state is better: feasible before better, else by a higher utility; ``None`` where nobody can tell.

    Constraints are compared first: by whether they are kept, and between states that both break some by how much,
    beyond the metrics' tolerances. Utilities are compared image by image, see :func:`gain`; a rise counts
    however small. A state without scores whose report shows damage (see
    :func:`lossagent.agents.rollback.damaged`) is not better.

    Args:
        view: goal, tolerances, and the run under fixed weights where it is known.
        state: the one in question.
        against: what it is compared with; needs scores.
    """
    if not has_scores(against, view) or view.trajectory.start.feedback is None:
        return None
    if not has_scores(state, view):
        return False if damaged(state) else None
    now, before = view.violation(state), view.violation(against)
    slack = sum(view.tolerance.get(c.metric, 0.0) / c.unit for c in view.goal.constraints)
    if (now > 0) != (before > 0):
        return before > 0
    if abs(now - before) > slack:  # two infinite ones differ by NaN, which exceeds nothing
        return now < before
    change = gain(view, state, against)
    return None if change is None else change > 0


def gain(view: View, state: State, against: State) -> float | None:
    """Change of the utility from ``against`` to ``state``, in points, paired by image and less the drift.

    The drift is the change under fixed weights between the two depths, where that run is known (``view.fixed``):
    what training longer would have brought anyway. ``None`` without an image that both have scores of.
    """
    assert state.feedback is not None
    assert against.feedback is not None
    change = _change(view, state.feedback, against.feedback)
    now, before = view.fixed.get(state.depth), view.fixed.get(against.depth)
    if change is None or now is None or before is None:
        return change
    drift = _change(view, now, before)
    return change if drift is None else change - drift


def _change(view: View, now: Feedback, before: Feedback) -> float | None:
    # One resample: the interval is not asked for.
    goal = view.goal
    return paired_change(points(now, goal), points(before, goal), UTILITY, None, view.seed, resamples=1).mean
