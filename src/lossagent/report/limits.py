"""Which constraints of the goal were kept, by how much, on each image set and after each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal
from lossagent.report.lookouts import fixed_at, goal_of
from lossagent.report.naming import MetricInfo
from lossagent.report.numbers import plain
from lossagent.report.reading import EvaluatedRow, RunData
from lossagent.report.sets import by_purpose, sets_of
from lossagent.report.words import constraint_words
from lossagent.utility import kept, limit_of


@dataclass(frozen=True)
class Limit:
    """A constraint in one place.

    Attributes:
        place: the image set.
        text: ``27.09, 0.11 below the limit of 27.20``.
        kept: whether it holds, ``None`` where that cannot be told.
    """

    place: str
    text: str
    kept: bool | None

    @property
    def word(self) -> str:
        """``kept``, ``missed`` or ``not known``."""
        return {True: "kept", False: "missed", None: "not known"}[self.kept]


@dataclass(frozen=True)
class Rule:
    """A constraint with its metric, and how the selected state keeps it on every set."""

    text: str
    limits: tuple[Limit, ...]


def rules(run: RunData, fixed: RunData | None, metrics: Mapping[str, MetricInfo]) -> tuple[Rule, ...]:
    """Every constraint, for the selected state; sets that were never used for a choice first."""
    goal, sets = goal_of(run), sets_of(run)
    if goal is None or run.last.id == 0:
        return ()
    found: list[Rule] = []
    for constraint in goal.constraints:
        limits: list[Limit] = []
        for name in sorted(sets, key=by_purpose):
            start, chosen = (sets[name].rows.get(label) for label in ("start", "selected"))
            if chosen is None or constraint.metric not in chosen.scores:
                continue
            known = [_feedback(row, sets[name].conditions) for row in (chosen, start)]
            assert known[0] is not None
            beside = fixed_at(fixed, name).get(chosen.depth or 0)
            limits.append(_limit(name, constraint, known[0], known[1], beside, metrics))
        found.append(Rule(constraint_words(constraint.model_dump()), tuple(limits)))
    return tuple(found)


def state_limits(
    goal: Goal | None,
    feedback: Feedback,
    start: Feedback | None,
    fixed: Feedback | None,
    metrics: Mapping[str, MetricInfo],
) -> tuple[Limit, ...]:
    """Every constraint after one stage, on the feedback images.

    Args:
        goal: of the run.
        feedback, start: on the state and on S_0.
        fixed: on the run under fixed weights at the state's depth.
        metrics: what the page knows of them.
    """
    constraints: Sequence[Constraint] = goal.constraints if goal is not None else ()
    return tuple(_limit(c.metric, c, feedback, start, fixed, metrics) for c in constraints)


def _feedback(row: EvaluatedRow | None, conditions: Mapping[str, str]) -> Feedback | None:
    return None if row is None else Feedback(scores=row.scores, conditions=dict(conditions))


def _limit(
    place: str,
    constraint: Constraint,
    feedback: Feedback,
    start: Feedback | None,
    fixed: Feedback | None,
    metrics: Mapping[str, MetricInfo],
) -> Limit:
    score, limit = feedback.mean(constraint.metric), limit_of(constraint, start, fixed)
    places = metrics[constraint.metric].places(score) if constraint.metric in metrics else 3
    if score is None:
        return Limit(place, "no score: it counts as missed", False)
    if limit is None:
        base = "start" if constraint.relative_to == "start" else "fixed run at this depth"
        return Limit(place, f"{plain(score, places)}; the {base} has no score there", None)
    side = "above" if score >= limit else "below"
    text = f"{plain(score, places)}, {plain(abs(score - limit), places)} {side} the limit of {plain(limit, places)}"
    return Limit(place, text, kept(constraint, score, limit))
