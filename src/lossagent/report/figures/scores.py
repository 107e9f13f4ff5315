"""Score curves: every metric over the iterations spent, the fixed run beside, the ground truth as a ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from lossagent.report.figures.canvas import Course, Figure, finish, legend, panel, segments
from lossagent.report.naming import MetricInfo
from lossagent.report.numbers import mean, plain
from lossagent.report.palette import TRUTH, UNDONE, UNDONE_LABEL
from lossagent.report.sets import GROUND_TRUTH, sets_of


def score_figures(courses: Sequence[Course], metrics: Mapping[str, MetricInfo]) -> tuple[Figure, ...]:
    """A panel for each metric that was scored on the feedback images, objectives first."""
    return tuple(f for m in metrics.values() if (f := _panel(courses, m)) is not None)


def _panel(courses: Sequence[Course], metric: MetricInfo) -> Figure | None:
    drawing, axes = panel()
    told = [t for c in reversed(courses) if (t := _draw(axes, c, metric.name, metric)) is not None]
    if not told:
        return None
    if metric.ceiling and (ceiling := _ceiling(courses[0], metric.name)) is not None:
        axes.axhline(ceiling, color=TRUTH, linewidth=1.1, dashes=(1, 2), label="ground truth")
        told.append(f"Ground truth: {plain(ceiling, metric.places(ceiling))}.")
    legend(axes, courses)
    title = f"{metric.name} {metric.arrow} ({metric.role}, {metric.wanted})"
    alt = f"Mean {metric.name} on the feedback images over the iterations spent. {' '.join(told)}"
    return finish(drawing, f"score-{metric.name}", title, alt)


def _ceiling(course: Course, metric: str) -> float | None:
    one = sets_of(course.run).get("feedback")
    truth = one.rows.get(GROUND_TRUTH) if one is not None else None
    return mean(truth.scores.get(metric, {}), one.conditions) if one is not None and truth is not None else None


def _draw(axes: Axes, course: Course, name: str, metric: MetricInfo) -> str | None:
    axis, style = course.axis, course.style
    points = {
        s.id: (axis.end[s.id], value)
        for s in course.run.trajectory.scored
        if s.feedback is not None and s.id in axis.end and (value := s.feedback.mean(name)) is not None
    }
    if not points:
        return None
    for parent, child in segments(course):
        if parent in points and child in points:
            (x0, y0), (x1, y1) = points[parent], points[child]
            gray = axis.rejected(child)
            axes.plot(
                [x0, x1],
                [y0, y1],
                color=UNDONE if gray else style.colour,
                linewidth=1.0 if gray else 2.0,
                linestyle="--" if gray else style.dash,
                zorder=2 if gray else 3,
            )
    for state, (x, y) in points.items():
        gray = axis.rejected(state)
        axes.plot(
            x,
            y,
            marker="x" if gray else style.marker,
            color=UNDONE if gray else style.colour,
            markersize=4.5,
            linestyle="none",
            zorder=4,
            label=UNDONE_LABEL if gray else None,
        )
    axes.plot(
        [],
        [],
        color=style.colour,
        linestyle=style.dash,
        marker=style.marker,
        markersize=4.5,
        linewidth=2,
        label=style.label,
    )
    _ring(axes, course, points)
    first, last = points[min(points)][1], points[max(points)][1]
    ends = [plain(value, metric.places(value)) for value in (first, last)]
    return f"{style.label}: {ends[0]} at first, {ends[1]} at the end."


def _ring(axes: Axes, course: Course, points: Mapping[int, tuple[int, float]]) -> None:
    """A ring around the state that was selected."""
    style = course.style
    chosen = course.run.selected.id
    if course.run.trajectory.finished is not None and chosen in points:
        x, y = points[chosen]
        axes.plot(
            x,
            y,
            marker="o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=style.colour,
            markeredgewidth=1.6,
            linestyle="none",
            zorder=5,
            label="selected" if style.marker == "o" else None,
        )
