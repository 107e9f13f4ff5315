"""The states of a run in the plane of two metrics: which no other one beats in both, and which limits hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lossagent.feedback import Direction
from lossagent.goal import Constraint
from lossagent.pareto import front
from lossagent.report.figures.canvas import Course, Figure, finish, legend, panel, segments
from lossagent.report.lookouts import fixed_at, goal_of
from lossagent.report.naming import MetricInfo
from lossagent.report.numbers import mean, plain
from lossagent.report.palette import INK, MUTED, TRUTH, UNDONE, UNDONE_LABEL
from lossagent.report.reading import RunData
from lossagent.report.sets import GROUND_TRUTH, sets_of
from lossagent.utility import limit_of

NUMBERED = 16
"""With more states only those on the front, the start, the selected and the last one are numbered."""
GUARDS = 2
"""Guards that a single target is shown against where nothing else is asked."""
LIMIT = "#b42318"

Points = Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class _Plane:
    """Two metrics and the run whose states lie in their plane."""

    course: Course
    x: MetricInfo
    y: MetricInfo
    fixed: RunData | None

    def values(self, point: tuple[float, float]) -> str:
        return " and ".join(f"{m.name} {plain(v, m.places(v))}" for m, v in zip((self.x, self.y), point, strict=True))


def pareto_figures(
    courses: Sequence[Course], metrics: Mapping[str, MetricInfo], fixed: RunData | None
) -> tuple[Figure, ...]:
    """The first target of the reported run against every other target and limited metric, else against two guards.

    Args:
        courses: the first is the reported run.
        metrics: of the page; one without a direction is left out.
        fixed: the run under fixed weights, for limits relative to it.
    """
    return tuple(
        figure
        for x, y in _pairs(courses[0].run, metrics)
        if (figure := _figure(_Plane(courses[0], x, y, fixed))) is not None
    )


def _pairs(run: RunData, metrics: Mapping[str, MetricInfo]) -> Iterator[tuple[MetricInfo, MetricInfo]]:
    goal, start = goal_of(run), run.trajectory.start.feedback
    # A distance from the start has no number at the start, where a path begins.
    scored = start.means() if start is not None else {}
    known = {n: m for n, m in metrics.items() if m.direction is not None and scored.get(n) is not None}
    targets = [t.metric for t in goal.scalar if t.metric in known] if goal is not None else []
    if goal is None or not targets:
        return
    asked = dict.fromkeys([*targets[1:], *(c.metric for c in goal.constraints if c.metric in known)])
    others = [name for name in asked if name != targets[0]]
    others = others or [name for name, m in known.items() if m.role == "guard"][:GUARDS]
    for name in others:
        yield known[targets[0]], known[name]


def _figure(plane: _Plane) -> Figure | None:
    points = {
        s.id: (x, y)
        for s in plane.course.run.trajectory.scored
        if s.feedback is not None
        and (x := s.feedback.mean(plane.x.name)) is not None
        and (y := s.feedback.mean(plane.y.name)) is not None
    }
    if len(points) < 2:
        return None
    directions: list[Direction] = [m.direction for m in (plane.x, plane.y) if m.direction is not None]
    ahead = [i for i, on in zip(points, front(list(points.values()), directions), strict=True) if on]
    drawing, axes = panel()
    axes.grid(axis="x", color="#e6e8eb", linewidth=0.8)
    told = [
        *_path(axes, plane, points),
        *_front(axes, plane, points, ahead),
        *_landmarks(axes, plane, points),
        *_limits(axes, plane),
        *_truth(axes, plane),
    ]
    _number(axes, plane, points, ahead)
    _frame(axes, plane)
    name = f"pareto-{plane.x.name}-{plane.y.name}"
    title = f"{plane.x.name} {plane.x.arrow} against {plane.y.name} {plane.y.arrow}"
    about = f"Mean {plane.x.name} ({plane.x.wanted}) and {plane.y.name} ({plane.y.wanted}) of every state"
    return finish(drawing, name, title, f"{about} on the feedback images. {' '.join(told)}")


def _path(axes: Axes, plane: _Plane, points: Points) -> list[str]:
    """Every state, joined to the one that it was trained from."""
    style, axis = plane.course.style, plane.course.axis
    for parent, child in segments(plane.course):
        if parent in points and child in points:
            gray = axis.rejected(child)
            axes.plot(
                *zip(points[parent], points[child], strict=True),
                color=UNDONE if gray else style.colour,
                linewidth=0.9 if gray else 1.3,
                linestyle="--" if gray else "-",
                alpha=0.6,
                zorder=2,
            )
    for gray, label in ((False, "state"), (True, UNDONE_LABEL)):
        some = [p for i, p in points.items() if axis.rejected(i) == gray]
        if some:
            axes.plot(
                *zip(*some, strict=True),
                linestyle="none",
                marker="x" if gray else "o",
                color=UNDONE if gray else style.colour,
                markersize=5,
                zorder=3,
                label=label,
            )
    return [f"{len(points)} states."]


def _front(axes: Axes, plane: _Plane, points: Points, ahead: Sequence[int]) -> list[str]:
    """The states that no other one beats in both, as a staircase: what lies behind it is beaten."""
    steps = sorted(points[i] for i in ahead)
    # Between two states of the front the better one in y counts that is at least as good in x: the right one where
    # higher x is wanted, else the left one.
    across = "steps-pre" if plane.x.direction == "higher" else "steps-post"
    axes.plot(
        [p[0] for p in steps],
        [p[1] for p in steps],
        drawstyle=across,
        color=INK,
        linewidth=1.1,
        alpha=0.75,
        marker="D",
        markersize=7.5,
        markerfacecolor="none",
        zorder=4,
        label="front",
    )
    names = ", ".join(f"S{i}" for i in sorted(ahead))
    return [f"Beaten by no other state in both: {names}."]


def _landmarks(axes: Axes, plane: _Plane, points: Points) -> list[str]:
    """The start and the selected state."""
    told: list[str] = []
    if 0 in points:
        axes.plot(*points[0], linestyle="none", marker="s", markersize=7, color=MUTED, zorder=5, label="start")
        told.append(f"Start: {plane.values(points[0])}.")
    run = plane.course.run
    if run.trajectory.finished is not None and run.selected.id in points:
        axes.plot(
            *points[run.selected.id],
            linestyle="none",
            marker="o",
            markersize=13,
            markerfacecolor="none",
            markeredgecolor=plane.course.style.colour,
            markeredgewidth=1.8,
            zorder=6,
            label="selected",
        )
        told.append(f"Selected, S{run.selected.id}: {plane.values(points[run.selected.id])}.")
    return told


def _limits(axes: Axes, plane: _Plane) -> list[str]:
    """The goal's limits on either metric; one relative to the fixed run as it is at the selected state's depth."""
    goal, told = goal_of(plane.course.run), list[str]()
    label: str | None = "limit"
    for constraint in goal.constraints if goal is not None else ():
        for metric, draw in ((plane.x, axes.axvline), (plane.y, axes.axhline)):
            value = _limit(plane, constraint) if constraint.metric == metric.name else None
            if value is not None:
                draw(value, color=LIMIT, linewidth=1.2, linestyle=(0, (5.0, 2.0)), zorder=1, label=label)
                label = None
                side = "at least" if constraint.at_least is not None else "at most"
                told.append(f"Limit: {metric.name} {side} {plain(value, metric.places(value))}.")
    return told


def _limit(plane: _Plane, constraint: Constraint) -> float | None:
    run = plane.course.run
    beside = fixed_at(plane.fixed, "feedback").get(run.selected.depth)
    return limit_of(constraint, run.trajectory.start.feedback, beside)


def _truth(axes: Axes, plane: _Plane) -> list[str]:
    """What the ground truth itself scores, where it is not compared with itself: a point, or a line."""
    one = sets_of(plane.course.run).get("feedback")
    row = one.rows.get(GROUND_TRUTH) if one is not None else None
    if one is None or row is None:
        return []
    found = [mean(row.scores.get(m.name, {}), one.conditions) if m.ceiling else None for m in (plane.x, plane.y)]
    x, y = found
    if x is not None and y is not None:
        axes.plot(x, y, linestyle="none", marker="*", markersize=11, color=TRUTH, zorder=5, label="ground truth")
    elif x is not None:
        axes.axvline(x, color=TRUTH, linewidth=1.1, dashes=(1, 2), zorder=1, label="ground truth")
    elif y is not None:
        axes.axhline(y, color=TRUTH, linewidth=1.1, dashes=(1, 2), zorder=1, label="ground truth")
    else:
        return []
    told = [
        f"{m.name} {plain(v, m.places(v))}" for m, v in zip((plane.x, plane.y), found, strict=True) if v is not None
    ]
    return [f"Ground truth: {' and '.join(told)}."]


def _number(axes: Axes, plane: _Plane, points: Points, ahead: Sequence[int]) -> None:
    run = plane.course.run
    chosen = points.keys() if len(points) <= NUMBERED else {*ahead, 0, run.selected.id, run.last.id} & points.keys()
    for i in chosen:
        axes.annotate(
            str(i),
            points[i],
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=8,
            color=UNDONE if plane.course.axis.rejected(i) else INK,
            zorder=7,
        )


def _frame(axes: Axes, plane: _Plane) -> None:
    """Names, and arrows along both axes in the direction that is wanted."""
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"{plane.x.name} ({plane.x.wanted})", color=MUTED, fontsize=9)
    axes.set_ylabel(f"{plane.y.name} ({plane.y.wanted})", color=MUTED, fontsize=9)
    right, up = plane.x.direction == "higher", plane.y.direction == "higher"
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    arrows = (((float(right), 0.0), (abs(right - 0.14), 0.0)), ((0.0, float(up)), (0.0, abs(up - 0.22))))
    for head, tail in arrows:
        axes.annotate("", head, tail, xycoords="axes fraction", textcoords="axes fraction", arrowprops=style)
    axes.margins(0.12)
    legend(axes, ())
    if (drawing := axes.get_figure(root=True)) is not None:
        drawing.subplots_adjust(left=0.135)
