"""Whether a stage made things worse: beyond noise, and beyond what training does under any weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from lossagent.agents.base import View
from lossagent.feedback import Feedback
from lossagent.noise import Change, paired_change
from lossagent.records import State
from lossagent.utility import UTILITY, points, utility_change, utility_tolerance

TWO_SIDED = 1.96
"""Standard deviations of a normal distribution that 95 % lie within."""


def worsened(view: View, tolerance: Mapping[str, float] | None = None, drift: bool = True) -> bool:
    """Whether the head is worse than its parent.

    A head that breaks a constraint which its parent keeps is worse; where both break some, the one that misses by more
    (beyond the tolerances) is. Else the utility decides, paired by image: worse if it fell by more than its noise.

    *Noise*: the paired bootstrap over images (:func:`lossagent.noise.paired_change`), with the tolerances where there
    are fewer than 8 (a target without one is given its unit). Where some stage was repeated on other data (same parent,
    same weights, another replicate), the fall must also exceed 1.96 standard deviations between repetitions.

    *Drift*: a score may fall for a while under any weights. Where the run under fixed weights is known at both depths,
    its change there is taken off, image by image.

    *A missing score* is no verdict on the network: the expert may have been away. It counts as worse only if the
    parent has that score and the head's own report shows damage, see :func:`damaged`.

    Args:
        view: whose head is judged.
        tolerance: metric -> change that counts as noise, in score units; goes before the view's.
        drift: whether the fixed run's change is taken off.
    """
    head = view.head
    if head.parent is None:
        return False
    parent = view.trajectory.states[head.parent]
    start = view.trajectory.start.feedback
    if head.feedback is None or parent.feedback is None or start is None:
        return False
    if _has_scores(parent.feedback, view) and not _has_scores(head.feedback, view):
        return damaged(head)
    known = {**view.tolerance, **(tolerance or {})}
    now, before = view.violation(head), view.violation(parent)
    slack = sum(known.get(c.metric, 0.0) / c.unit for c in view.goal.constraints)
    if now > 0 and (before == 0 or now > before + slack):
        return True
    if now < before - slack:
        return False
    change = _change(view, head.feedback, parent.feedback, utility_tolerance(view.goal, known), drift)
    if change.mean is None or change.mean >= 0 or not change.exceeds:
        return False
    between = training_noise(view)
    return between is None or -change.mean > TWO_SIDED * between


def damaged(state: State) -> bool:
    """Whether a state's report shows that training went wrong: a raw loss not finite, or every step skipped."""
    report = state.report
    if report is None:
        return False
    numbers = (*report.losses.values(), *report.evidence.raw.values())
    return any(not math.isfinite(x) for x in numbers) or 0 < report.iterations <= report.skipped


def training_noise(view: View) -> float | None:
    """Standard deviation of utility between repetitions of one stage, in points; ``None`` if none was repeated."""
    groups: dict[tuple[int | None, str], list[float]] = {}
    start = view.trajectory.start.feedback
    for state in view.trajectory.states:
        if state.feedback is None or start is None or state.weights is None:
            continue
        utility = view.goal.utility(state.feedback, start)
        if utility is not None:
            groups.setdefault((state.parent, str(state.weights)), []).append(utility)
    repeated = [group for group in groups.values() if len(group) > 1]
    if not repeated:
        return None
    squares = sum(float(np.var(group)) * len(group) for group in repeated)
    return math.sqrt(squares / sum(len(group) - 1 for group in repeated))


def _change(view: View, child: Feedback, parent: Feedback, tolerance: float, drift: bool) -> Change:
    """The change of utility, less the fixed run's at the same depths where it is known."""
    depth = view.head.depth
    now, before = view.fixed.get(depth), view.fixed.get(depth - 1)
    if depth == 1 and before is None:
        before = view.trajectory.start.feedback
    if drift and now is not None and before is not None:
        beside = _less(points(child, view.goal), points(now, view.goal), points(before, view.goal))
        change = paired_change(beside, points(parent, view.goal), UTILITY, tolerance, view.seed)
        if change.n > 0:
            return change
    return utility_change(child, parent, view.goal, tolerance, view.seed)


def _less(child: Feedback, now: Feedback, before: Feedback) -> Feedback:
    """Per image, the child's points less the change of the fixed run's; ``None`` where one of the three is missing."""
    found: dict[str, float | None] = {}
    for image, score in child.scores[UTILITY].items():
        after, earlier = now.scores[UTILITY].get(image), before.scores[UTILITY].get(image)
        found[image] = None
        if score is not None and after is not None and earlier is not None:
            found[image] = score - (after - earlier)
    return Feedback(scores={UTILITY: found}, conditions=child.conditions)


def _has_scores(feedback: Feedback, view: View) -> bool:
    return all(feedback.mean(target.metric) is not None for target in view.goal.scalar)
