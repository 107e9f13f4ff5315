"""The reward-hacking alarm: the objective rises while a guard falls beyond its noise, or passes the ground truth.

A number can be raised without better images: blurred noise alone lowers NIQE. Every state is compared with S_0, so
that a slow fall is heard as well as a sudden one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal
from lossagent.noise import Change, paired_change
from lossagent.records import State
from lossagent.trajectory import Trajectory
from lossagent.utility import UTILITY, kept, limit_of, points, utility_tolerance

Pair = tuple[Feedback, Feedback, str, float | None]
"""Child, parent, metric, tolerance: what :func:`lossagent.noise.paired_change` compares."""
Changes = Callable[[Sequence[Pair], int], Sequence[Change]]
"""Changes of many pairs under one seed, in their order."""


@dataclass(frozen=True)
class Lookout:
    """What states are judged by.

    Attributes:
        goal: its utility is the objective. A guard under a constraint may fall as far as the constraint allows.
        metrics: facts; a guard without a direction gives no alarm.
        guards: metrics that are watched.
        tolerance: metric -> change that is not worth an alarm, and counts as noise where that is not estimable; the
            metric's unit without one.
        ceiling: metric -> score of the ground truth of the same images.
        seed: of the resampling.
        fixed: depth -> feedback on the run under fixed weights, for constraints relative to it.
    """

    goal: Goal
    metrics: Mapping[str, MetricFacts]
    guards: frozenset[str] = frozenset()
    tolerance: Mapping[str, float] = field(default_factory=dict[str, float])
    ceiling: Mapping[str, float] = field(default_factory=dict[str, float])
    seed: int = 0
    fixed: Mapping[int, Feedback] = field(default_factory=dict[int, Feedback])

    def slack(self, guard: str) -> float:
        """By how much a guard may fall without a word."""
        return self.tolerance.get(guard, self.metrics[guard].unit)


@dataclass(frozen=True)
class Sign:
    """One sign that the objective is being played.

    Attributes:
        kind: a guard fell while the objective rose, or a target went beyond the ground truth.
        metric: the guard, or the target.
        claim: what was seen, with figures.
        interval: ``95 % interval -0.5 to -0.3`` of the guard's change; "" where there is none.
    """

    kind: Literal["guard", "ceiling"]
    metric: str
    claim: str
    interval: str = ""

    @property
    def sentence(self) -> str:
        """The claim with its interval."""
        return f"{self.claim} ({self.interval})" if self.interval else self.claim


def alarms(trajectory: Trajectory, lookout: Lookout, changes: Changes | None = None) -> dict[int, tuple[str, ...]]:
    """state -> what speaks for a metric being played, a sentence each; states without an alarm are left out.

    Args:
        trajectory: every scored state but S_0 is compared with S_0.
        lookout: what they are judged by.
        changes: computes many changes at once, where there is a faster way than one by one.
    """
    start = trajectory.start.feedback
    if start is None:
        return {}
    known = {s.id: s.feedback for s in trajectory.states if s.feedback is not None and s.id != 0}
    found = signs(known, start, lookout, {s.id: s.depth for s in trajectory.states}, changes)
    return {i: tuple(sign.sentence for sign in several) for i, several in found.items() if several}


def alarm_of(state: State, start: State, lookout: Lookout) -> tuple[str, ...]:
    """The same for one state; nothing for S_0 and for states that are not scored.

    Args:
        state: the state.
        start: S_0.
        lookout: what it is judged by.
    """
    if state.feedback is None or start.feedback is None or state.id == start.id:
        return ()
    found = signs({state.id: state.feedback}, start.feedback, lookout, {state.id: state.depth})
    return tuple(sign.sentence for sign in found[state.id])


def signs(
    states: Mapping[int, Feedback],
    start: Feedback,
    lookout: Lookout,
    depths: Mapping[int, int],
    changes: Changes | None = None,
) -> dict[int, tuple[Sign, ...]]:
    """The signs in each state's feedback, against the start's.

    Means are looked at first: noise is estimated only where the objective rose and a guard fell.

    Args:
        states: state -> feedback on it.
        start: feedback on S_0.
        lookout: what they are judged by.
        depths: state -> depth, for constraints relative to the run under fixed weights.
        changes: see :func:`alarms`.
    """
    compare = changes or _one_by_one
    tolerance = utility_tolerance(lookout.goal, lookout.tolerance)
    before = points(start, lookout.goal)
    falls = {i: _falls(f, start, lookout, depths[i]) for i, f in states.items()}
    rising = [i for i, f in states.items() if falls[i] and (lookout.goal.utility(f, start) or 0.0) > 0]
    gains = compare([(points(states[i], lookout.goal), before, UTILITY, tolerance) for i in rising], lookout.seed)
    risen = [i for i, gain in zip(rising, gains, strict=True) if _up(gain)]
    pairs = [(i, guard) for i in risen for guard in falls[i]]
    losses = compare([(states[i], start, guard, lookout.slack(guard)) for i, guard in pairs], lookout.seed)
    found: dict[int, list[Sign]] = {i: _beyond(f, start, lookout) for i, f in states.items()}
    for (i, guard), loss in zip(pairs, losses, strict=True):
        facts = lookout.metrics[guard]
        if loss.mean is not None and loss.exceeds and (loss.mean > 0) == (facts.direction == "lower"):
            found[i].append(_guard_sign(facts, gained(states[i], start, lookout.goal), loss.mean, loss))
    return {i: tuple(several) for i, several in found.items()}


def gained(feedback: Feedback, start: Feedback, goal: Goal) -> str:
    """What rose, in words: ``niqe improved by 1.20``, or the utility with each target's part."""
    parts: list[str] = []
    for target in goal.scalar:
        now, before = feedback.mean(target.metric), start.mean(target.metric)
        if now is not None and before is not None:
            gain = target.sign * (now - before)
            word = "improved" if gain >= 0 else "worsened"
            parts.append(f"{target.metric} {word} by {in_units(abs(gain), target.metric, target.unit)}")
    if len(parts) == 1:
        return parts[0]
    utility = goal.utility(feedback, start) or 0.0
    return f"the utility rose by {utility:.1f} points ({', '.join(parts)})"


def in_units(value: float, metric: str, unit: float) -> str:
    """A number that shows a tenth of the metric's unit; decibels are named."""
    places = max(0, min(6, math.ceil(-math.log10(unit)) + 1))
    text = f"{value:.{places}f}"
    return f"{text} dB" if "psnr" in metric.lower() or metric == "lr_consistency" else text


def _falls(feedback: Feedback, start: Feedback, lookout: Lookout, depth: int) -> list[str]:
    """Guards whose mean fell by a change worth speaking of, and further than a constraint allows."""
    allowed = {
        c.metric
        for c in lookout.goal.constraints
        if kept(c, feedback.mean(c.metric), limit_of(c, start, lookout.fixed.get(depth)))
    }
    targets = {t.metric for t in lookout.goal.scalar}
    return [
        guard
        for guard in sorted(lookout.guards - targets - allowed)
        if guard in lookout.metrics and fall_of(feedback, start, lookout.metrics[guard]) > lookout.slack(guard)
    ]


def fall_of(feedback: Feedback, start: Feedback, metric: MetricFacts) -> float:
    """By how much the mean fell against the start's, counted positive where it got worse; 0 where one is missing."""
    now, before = feedback.mean(metric.name), start.mean(metric.name)
    if now is None or before is None:
        return 0.0
    return now - before if metric.direction == "lower" else before - now


def _up(change: Change) -> bool:
    return change.mean is not None and change.mean > 0 and bool(change.exceeds)


def _guard_sign(facts: MetricFacts, gain: str, mean: float, change: Change) -> Sign:
    size = in_units(abs(mean), facts.name, facts.unit)
    interval = ""
    if change.low is not None and change.high is not None:
        low, high = (in_units(x, "", facts.unit) for x in (change.low, change.high))
        interval = f"95 % interval {low} to {high}"
    word = "fell" if mean < 0 else "rose"
    return Sign("guard", facts.name, f"{gain} while {facts.name} {word} by {size}", interval)


def _beyond(feedback: Feedback, start: Feedback, lookout: Lookout) -> list[Sign]:
    """Targets that passed the ground truth's own score, and not by where they started."""
    found: list[Sign] = []
    for target in lookout.goal.scalar:
        now, before = feedback.mean(target.metric), start.mean(target.metric)
        top = lookout.ceiling.get(target.metric)
        if now is None or top is None or target.sign * (now - top) <= 0:
            continue
        if before is not None and target.sign * (now - before) <= 0:
            continue
        ours, truth = (in_units(x, target.metric, target.unit) for x in (now, top))
        claim = f"{target.metric} is {ours}, beyond the {truth} of the ground truth itself"
        found.append(Sign("ceiling", target.metric, claim))
    return found


def _one_by_one(pairs: Sequence[Pair], seed: int) -> list[Change]:
    return [paired_change(child, parent, metric, tolerance, seed) for child, parent, metric, tolerance in pairs]
