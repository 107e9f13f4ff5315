"""Weight curves, the paper's Figure 4: the ratio of each weight to the anchor's, on a log axis."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lossagent.report.figures.canvas import Course, Figure, finish, legend, panel
from lossagent.report.numbers import compact
from lossagent.report.palette import UNDONE, UNDONE_LABEL


def weight_figures(courses: Sequence[Course]) -> tuple[Figure, ...]:
    """A panel for each loss but the anchor, and one for the anchor's own weight where it changes.

    Adam hardly feels a common factor on all weights, so the ratios are what steers.
    """
    main = courses[0]
    anchor = main.run.anchor
    names = [n for n in main.run.trajectory.initial.names if n != anchor]
    figures = [_panel(courses, name, anchor) for name in names]
    own = {s.weights[anchor] for c in courses for s in c.run.trajectory.states if s.weights is not None}
    if len(own) > 1 or not names:
        figures.append(_panel(courses, anchor, None))
    return tuple(f for f in figures if f is not None)


def _panel(courses: Sequence[Course], name: str, anchor: str | None) -> Figure | None:
    drawing, axes = panel()
    shown = 0
    for course in reversed(courses):
        if name in course.run.trajectory.initial.names:
            shown += _draw(axes, course, name, anchor)
    if not shown:
        return None
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 4:  # a flat line deserves a decade around it, not a magnified rounding error
        middle = (low * high) ** 0.5
        axes.set_ylim(middle / 3, middle * 3)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=9))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.yaxis.set_minor_formatter(NullFormatter())
    legend(axes, courses)
    what = f"weight of {name} ÷ weight of {anchor}" if anchor is not None else f"weight of {name}"
    alt = f"{what} over the iterations spent, log axis. " + " ".join(_told(c, name, anchor) for c in courses)
    return finish(drawing, f"weights-{name}", what, alt)


def _tick(value: float, _: int | None) -> str:
    return compact(value)


def _ratio(course: Course, state: int, name: str, anchor: str | None) -> float | None:
    """The ratio under which a state was reached; ``None`` while either loss is off."""
    weights = course.run.trajectory.weights_at(state)
    value = weights[name] if name in weights.names else 0.0
    base = weights[anchor] if anchor is not None and anchor in weights.names else 1.0
    return value / base if value > 0 and base > 0 else None


def _draw(axes: Axes, course: Course, name: str, anchor: str | None) -> int:
    axis, style = course.axis, course.style
    drawn = 0
    label = True
    joint: tuple[float, float] | None = None
    for state in [s.id for s in course.run.trajectory.states if s.id in axis.end and s.id > 0]:
        ratio = _ratio(course, state, name, anchor)
        left, right = axis.begin[state], axis.end[state]
        if ratio is None:
            axes.plot(
                [left, right],
                [0.012, 0.012],
                color=style.colour,
                linewidth=4,
                alpha=0.25,
                solid_capstyle="butt",
                transform=axes.get_xaxis_transform(),
                label="loss off",
            )
            joint = None
            continue
        drawn += 1
        if axis.rejected(state):
            axes.plot(
                [left, right],
                [ratio, ratio],
                color=UNDONE,
                linewidth=1.3,
                dashes=(3, 2),
                label=UNDONE_LABEL,
            )
            axes.plot([right], [ratio], marker="x", color=UNDONE, markersize=5, linestyle="none")
            continue
        if joint is not None:
            axes.plot(
                [joint[0], left],
                [joint[1], joint[1]],
                color=style.colour,
                linewidth=0.8,
                alpha=0.5,
                linestyle=":",
            )
            axes.plot([left, left], [joint[1], ratio], color=style.colour, linewidth=1.6, alpha=0.8)
        axes.plot(
            [left, right],
            [ratio, ratio],
            color=style.colour,
            linewidth=2.4,
            linestyle=style.dash,
            solid_capstyle="butt",
            label=style.label if label else None,
        )
        label, joint = False, (right, ratio)
    return drawn


def _told(course: Course, name: str, anchor: str | None) -> str:
    states = [s for s in course.run.trajectory.path(course.run.selected.id) if s.id > 0 and s.id in course.axis.end]
    values = [_ratio(course, s.id, name, anchor) for s in states]
    words = ", ".join(compact(v) if v is not None else "off" for v in values)
    return f"{course.style.label}, on the way to the selected state: {words or 'no stage'}."
