"""What each stage did: the change of the utility against the parent, and the weights it was trained under."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lossagent.agents.anchor import anchor_of, movable
from lossagent.agents.base import View
from lossagent.feedback import Feedback
from lossagent.utility import UTILITY, points


@dataclass(frozen=True)
class Response:
    """One stage whose score change is known.

    Attributes:
        state: id of the state it led to.
        ratios: log(weight / weight of the anchor), one for each loss that can be moved.
        base: utility of the parent, counted from S_0, in points.
        change: utility of the state less that of its parent, paired by image, in points.
        variance: variance of that change from image to image, over the images; ``None`` with fewer than two.
        drift: the same change of the fixed run at the same depths, ``None`` where it is not known.
    """

    state: int
    ratios: tuple[float, ...]
    base: float
    change: float
    variance: float | None
    drift: float | None


def moved(view: View) -> tuple[str, ...]:
    """The losses that a response is learned for: on, neither frozen nor the anchor."""
    previous = view.previous
    return tuple(n for n in movable(previous, view.bounds) if n not in previous.off)


def responses(view: View) -> tuple[Response, ...]:
    """The stages to learn from, oldest first.

    Left out: stages with a missing score or without an image in common with their parent, and stages under other
    losses than those that are on now.
    """
    previous, start = view.previous, view.trajectory.start.feedback
    if start is None or not view.goal.has_utility:
        return ()
    anchor, names = anchor_of(previous, view.bounds), moved(view)
    known = {s.id: points(s.feedback, view.goal) for s in view.trajectory.scored if s.feedback is not None}
    fixed = {depth: points(feedback, view.goal) for depth, feedback in view.fixed.items()}
    fixed.setdefault(0, points(start, view.goal))
    found: list[Response] = []
    for state in view.trajectory.states:
        weights = state.weights
        if state.parent is None or weights is None or weights.off != previous.off:
            continue
        if state.id not in known or state.parent not in known:
            continue
        change = paired(known[state.id], known[state.parent])
        base = paired(known[state.parent], known[0])
        if change is None or base is None:
            continue
        depth = state.depth
        beside = paired(fixed[depth], fixed[depth - 1]) if depth in fixed and depth - 1 in fixed else None
        logs = weights.log_ratios(anchor)
        found.append(
            Response(
                state=state.id,
                ratios=tuple(logs[n] for n in names),
                base=base[0],
                change=change[0],
                variance=change[1],
                drift=beside[0] if beside is not None else None,
            )
        )
    return tuple(found)


def paired(child: Feedback, parent: Feedback, metric: str = UTILITY) -> tuple[float, float | None] | None:
    """Mean change over common images (within conditions, then over them), and the variance of that mean.

    ``None`` without a common image; the variance is ``None`` where a condition has a single image.
    """
    before = parent.scores.get(metric, {})
    groups: dict[str, list[float]] = {}
    for image, score in child.scores.get(metric, {}).items():
        old = before.get(image)
        if score is not None and old is not None and math.isfinite(score) and math.isfinite(old):
            groups.setdefault(child.conditions.get(image, ""), []).append(score - old)
    if not groups:
        return None
    mean = float(np.mean([np.mean(group) for group in groups.values()]))
    if any(len(group) < 2 for group in groups.values()):
        return mean, None
    return mean, float(sum(np.var(group, ddof=1) / len(group) for group in groups.values())) / len(groups) ** 2
