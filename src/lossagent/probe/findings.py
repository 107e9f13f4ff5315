"""What a probe found: spreads, proposals, and one verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from lossagent.errors import Refused
from lossagent.noise import FEWEST
from lossagent.probe.course import Course
from lossagent.probe.limits import broken_limits
from lossagent.probe.plan import Plan
from lossagent.probe.spread import Spread, changes_of, spread_of
from lossagent.records import Record
from lossagent.utility import UTILITY, points
from lossagent.weights import Weights

Verdict = Literal["something to steer", "not at this stage length", "nothing shown"]
CLEAR = 2.0
"""A change is clear of the noise if it is so many standard deviations of the difference of two runs."""


class Findings(Record):
    """A probe's outcome.

    Attributes:
        verdict, sentence: whether there is something to steer.
        spreads: score -> one entry a depth; ``"utility"`` is the goal's number, in points.
        stage_iterations: proposed length of a stage: the shortest tried at which the settings differ by more than
            noise; ``None``: longer than tried.
        bounds: loss -> (lowest, highest) weight of settings that broke nothing.
        trust: proposed largest factor of a move: the smallest tried that moved the score clear of the noise, ``None``
            where none did.
        images: proposed number of feedback images: with so many, the image part of the noise is a third of the spread;
            ``None`` where no spread was shown.
        settings: name -> weights.
        gains: setting -> mean change of the utility from S_0 at the last depth, in points.
        broken: run -> what it broke, one sentence each.
        notes: what a reader should know.
    """

    verdict: Verdict
    sentence: str
    spreads: dict[str, tuple[Spread, ...]]
    stage_iterations: int | None
    bounds: dict[str, tuple[float, float]]
    trust: float | None
    images: int | None
    settings: dict[str, Weights]
    gains: dict[str, float]
    broken: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


def find(plan: Plan, courses: Mapping[str, Course]) -> Findings:
    """What the runs of a probe say.

    Args:
        plan: the runs.
        courses: run -> what became of it.

    Raises:
        Refused: fewer than three settings or two repeats came to a score.
    """
    goal, first = plan.experiment.goal, next(iter(plan.settings))
    courses = {name: _with_points(course, plan) for name, course in courses.items()}
    scores = [UTILITY, *dict.fromkeys([*goal.metrics, *_scored(courses[first])])]
    spreads = {score: found for score in scores if (found := _spreads(plan, courses, score))}
    if UTILITY not in spreads:
        why = "; ".join(f"{name}: {course.problem}" for name, course in courses.items() if course.problem)
        raise Refused(f"too few runs of the probe came to a score of the goal to compare any. {why}".strip())
    utility = spreads[UTILITY]
    shown = next((s for s in utility if s.exceeds), None)
    judged = shown or utility[-1]
    broken = {
        name: said
        for name in plan.settings
        if (said := broken_limits(goal, courses[name], courses[first], plan.stages))
    }
    verdict, sentence = _verdict(plan, utility, shown)
    bounds = _bounds(plan, broken)
    wanted = judged.images_for_a_third if shown is not None else None
    return Findings(
        verdict=verdict,
        sentence=sentence,
        spreads=spreads,
        stage_iterations=shown.depth * plan.experiment.training.iterations if shown is not None else None,
        bounds=bounds,
        trust=_trust(plan, courses, judged),
        images=max(FEWEST, wanted) if wanted is not None else None,
        settings=dict(plan.settings),
        gains=_gains(plan, courses),
        broken=broken,
        notes=_notes(plan, courses, utility, [n for n in _moved(plan) if n not in bounds]),
    )


def _with_points(course: Course, plan: Plan) -> Course:
    """The course with the goal's points of each image as one more metric."""
    goal = plan.experiment.goal
    feedback = {
        depth: f.model_copy(update={"scores": {**f.scores, **points(f, goal).scores}})
        for depth, f in course.feedback.items()
    }
    return Course(course.weights, feedback, course.problem)


def _scored(course: Course) -> tuple[str, ...]:
    return tuple(m for f in course.feedback.values() for m in f.scores if m != UTILITY)


def _spreads(plan: Plan, courses: Mapping[str, Course], score: str) -> tuple[Spread, ...]:
    settings = [courses[name].feedback for name in plan.settings]
    repeats = [settings[0], *(courses[name].feedback for name in plan.repeats)]
    found: list[Spread] = []
    for depth in range(1, plan.stages + 1):
        between, kinds = changes_of(settings, score, depth)
        within, runs = changes_of(repeats, score, depth)
        if len(kinds) >= 3 and len(runs) >= 2 and between.size and within.size:
            found.append(spread_of(between, within, depth))
    return tuple(found)


def _verdict(plan: Plan, utility: tuple[Spread, ...], shown: Spread | None) -> tuple[Verdict, str]:
    length = plan.experiment.training.iterations
    best = shown or max(utility, key=lambda s: s.low)
    figures = (
        f"between settings {best.spread:.2g} points, noise {best.noise:.2g}; variance ratio {best.ratio:.1f}, "
        f"90 % interval {best.low:.2g} to {best.high:.2g}"
    )
    if shown is None:
        return "nothing shown", (
            f"Nothing shown: up to {plan.stages} stages of {length} iterations the settings differ by no more than "
            f"noise ({figures}). That is no proof that there is nothing: longer stages, more settings, repeats or "
            "images may show it."
        )
    if shown.depth == 1:
        return "something to steer", (
            f"Something to steer: after one stage of {length} iterations the weights make a difference beyond noise "
            f"({figures})."
        )
    return "not at this stage length", (
        f"Not at this stage length: one stage of {length} iterations shows nothing beyond noise, {shown.depth} stages "
        f"under the same weights do ({figures}). Make stages about {shown.depth * length} iterations long."
    )


def _bounds(plan: Plan, broken: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """loss -> range of weights over the settings that broke nothing; the initial ones always count.

    Losses of which that leaves one weight are left out.
    """
    first = next(iter(plan.settings))
    good = [w for name, w in plan.settings.items() if name not in broken or name == first]
    ranges = {n: (min(w[n] for w in good), max(w[n] for w in good)) for n in _moved(plan)}
    return {n: (low, high) for n, (low, high) in ranges.items() if low < high}


def _moved(plan: Plan) -> list[str]:
    """Losses whose weights differ between settings."""
    first = next(iter(plan.settings.values()))
    return [n for n in first.names if len({w[n] for w in plan.settings.values()}) > 1]


def _trust(plan: Plan, courses: Mapping[str, Course], judged: Spread) -> float | None:
    """The smallest move that was clear of the noise, as a factor of one weight."""
    changes, known = changes_of([courses[n].feedback for n in plan.settings], UTILITY, judged.depth)
    names = [list(plan.settings)[i] for i in known]
    first = next(iter(plan.settings))
    if first not in names:
        return None
    means = dict(zip(names, changes.mean(axis=1).tolist(), strict=True))
    clear = CLEAR * math.sqrt(2) * judged.noise
    initial = plan.settings[first]
    moves = [
        max(abs(math.log(plan.settings[name][n] / initial[n])) for n in initial.names if initial[n] > 0)
        for name in names
        if name != first and abs(means[name] - means[first]) > clear
    ]
    return max(1.5, float(f"{math.exp(min(moves)):.2g}")) if moves else None


def _gains(plan: Plan, courses: Mapping[str, Course]) -> dict[str, float]:
    changes, known = changes_of([courses[n].feedback for n in plan.settings], UTILITY, plan.stages)
    names = list(plan.settings)
    return {names[i]: float(row.mean()) for i, row in zip(known, changes, strict=True) if len(row)}


def _notes(
    plan: Plan, courses: Mapping[str, Course], utility: tuple[Spread, ...], unbounded: Sequence[str]
) -> tuple[str, ...]:
    notes = [f"{name} is left out: {c.problem}." for name, c in courses.items() if c.problem]
    last = utility[-1]
    if last.images < FEWEST:
        notes.append(f"{last.images} feedback images say little of others: at least {FEWEST} are needed for that.")
    if last.training > last.image:
        notes.append("most of the noise is the luck of training: more feedback images would not help against it.")
    if last.depth < plan.stages:
        notes.append(f"beyond {last.depth} stages too few runs have scores.")
    if unbounded:
        names = ", ".join(unbounded)
        notes.append(f"every setting that moved {names} broke a limit: no bounds are proposed; try smaller moves.")
    return tuple(notes)
