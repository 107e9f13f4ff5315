"""What a trial of a study says of a state; plain data, which Optuna is not needed for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from lossagent.events import AnyEvent, Decided, Scored, Told
from lossagent.goal import Constraint
from lossagent.records import State
from lossagent.trajectory import Trajectory
from lossagent.utility import limit_of

ON = " on"
"""Ends the name of the parameter that says whether a loss was on."""


@dataclass(frozen=True)
class Outcome:
    """A state as a trial.

    Attributes:
        state: its id.
        params: loss name -> magnitude of its weight; and ``NAME on`` -> whether the loss was on, of losses that the run
            has switched.
        values: mean of each target; ``None`` for a state that failed.
        constraints: of each constraint by how much the score misses the limit, in the constraint's unit; at most 0
            where it is kept. ``None`` without constraints, or where one is not known.
        between: depth -> score of a single target, of the parent and of the state; empty with several targets.
        attributes: where it came from and what was said, as JSON.
        began, ended: when it was decided and scored; ``None`` where that is not recorded.
    """

    state: int
    params: Mapping[str, float | bool]
    values: tuple[float, ...] | None
    constraints: tuple[float, ...] | None
    between: Mapping[int, float]
    attributes: Mapping[str, Any]
    began: datetime | None
    ended: datetime | None


def switched(trajectory: Trajectory) -> tuple[str, ...]:
    """Losses that were off at some state of a run."""
    known = [trajectory.weights_at(state.id) for state in trajectory.states]
    return tuple(name for name in trajectory.initial.names if any(name in weights.off for weights in known))


def ranges(trajectory: Trajectory, told: Told) -> dict[str, tuple[float, float]]:
    """Loss name -> (smallest, largest) magnitude of its weight: the bounds, widened by what there was."""
    found: dict[str, tuple[float, float]] = {}
    for name in trajectory.initial.names:
        seen = [trajectory.weights_at(state.id).magnitudes[name] for state in trajectory.states]
        low, high = told.bounds.box(name)
        if name in told.bounds.frozen:
            low, high = math.inf, 0.0
        found[name] = (min(low, *seen), max(high if math.isfinite(high) else 0.0, *seen))
    return found


def outcomes(events: Iterable[AnyEvent], trajectory: Trajectory, told: Told) -> list[Outcome]:
    """The states after S_0 of which it is known what became of them, in order.

    A state fails where a target has no score, or where it was never scored though the run went on or is over.
    """
    began: dict[int, datetime] = {}
    ended: dict[int, datetime] = {}
    for event in events:
        if isinstance(event, Decided) and event.time:
            began.setdefault(event.state, datetime.fromtimestamp(event.time))
        elif isinstance(event, Scored) and event.time:
            ended.setdefault(event.state, datetime.fromtimestamp(event.time))
    names = switched(trajectory)
    over = trajectory.finished is not None
    return [
        _outcome(state, trajectory, told, names, began.get(state.id), ended.get(state.id))
        for state in trajectory.states[1:]
        if state.feedback is not None or over or state.id < trajectory.last.id
    ]


def start_of(trajectory: Trajectory) -> dict[str, Any]:
    """The scores of S_0, which is no trial: no weights led to it."""
    feedback = trajectory.start.feedback
    return plain(feedback.means()) if feedback is not None else {}


def plain(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """JSON without the numbers that it lacks: NaN and the infinite ones become ``None``."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in cast("Iterable[object]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _outcome(
    state: State,
    trajectory: Trajectory,
    told: Told,
    names: tuple[str, ...],
    began: datetime | None,
    ended: datetime | None,
) -> Outcome:
    weights, decision, report = trajectory.weights_at(state.id), state.decision, state.report
    misses = _misses(state, trajectory, told)
    return Outcome(
        state=state.id,
        params={**weights.magnitudes, **{f"{name}{ON}": name not in weights.off for name in names}},
        values=_values(state, told),
        constraints=None
        if not misses or None in misses.values()
        else tuple(m for m in misses.values() if m is not None),
        between=_between(state, trajectory, told),
        attributes=plain(
            {
                "state": state.id,
                "parent": state.parent,
                "depth": state.depth,
                "author": decision.author if decision is not None else None,
                "adjusted by": decision.adjusted_by if decision is not None else (),
                "thoughts": decision.thoughts if decision is not None else "",
                "weights": weights.values(),
                "scores": state.feedback.means() if state.feedback is not None else {},
                "guards": {n: state.feedback.mean(n) for n in told.guards} if state.feedback is not None else {},
                "raw losses": report.losses if report is not None else {},
                "iterations": report.iterations if report is not None else None,
                "constraints": misses,
            }
        ),
        began=began,
        ended=ended or began,
    )


def _values(state: State, told: Told) -> tuple[float, ...] | None:
    if state.feedback is None:
        return None
    found = [state.feedback.mean(target.metric) for target in told.goal.scalar]
    return None if None in found else tuple(value for value in found if value is not None)


def _between(state: State, trajectory: Trajectory, told: Told) -> dict[int, float]:
    if len(told.goal.scalar) != 1 or state.parent is None:
        return {}
    pair = {s.depth: _values(s, told) for s in (trajectory.states[state.parent], state)}
    return {depth: values[0] for depth, values in pair.items() if values is not None}


def _misses(state: State, trajectory: Trajectory, told: Told) -> dict[str, float | None]:
    """Constraint in words -> how far beyond its limit the score is, in units; negative inside it."""
    found: dict[str, float | None] = {}
    for constraint in told.goal.constraints:
        score = state.feedback.mean(constraint.metric) if state.feedback is not None else None
        limit = limit_of(constraint, trajectory.start.feedback, told.fixed.get(state.depth))
        miss: float | None = None
        if score is not None and limit is not None:
            miss = (limit - score if constraint.at_least is not None else score - limit) / constraint.unit
        found[_words(constraint)] = miss
    return found


def _words(constraint: Constraint) -> str:
    value = constraint.at_least if constraint.at_least is not None else constraint.at_most
    side = "at least" if constraint.at_least is not None else "at most"
    base = "" if constraint.relative_to == "absolute" else f" from {constraint.relative_to}"
    return f"{constraint.metric} {side} {value:g}{base}"
