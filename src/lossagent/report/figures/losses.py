"""Raw-loss curves: L_m unweighted, as logged in each iteration, and smoothed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from lossagent.report.figures.canvas import Course, Figure, finish, legend, panel
from lossagent.report.palette import UNDONE, UNDONE_LABEL
from lossagent.report.reading import LossLine

POINTS = 1500
"""Most points drawn of a curve: more than there are pixels."""

Read = Callable[[LossLine], float | None]
Curve = tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", "np.ndarray[tuple[int], np.dtype[np.float64]]"]


def loss_figures(courses: Sequence[Course]) -> tuple[Figure, ...]:
    """A panel for each loss of the repository, and one for each discriminator's own loss."""
    names = courses[0].run.trajectory.initial.names
    opponents = dict.fromkeys(n for c in courses for line in c.run.losses for n in line.discriminator)
    kinds: list[tuple[str, str, Read]] = [(f"loss-{n}", f"raw {n}", _raw(n)) for n in names]
    kinds += [(f"discriminator-{n}", f"discriminator of {n}, its own loss", _own(n)) for n in opponents]
    return tuple(f for name, title, read in kinds if (f := _panel(courses, name, title, read)) is not None)


def _raw(name: str) -> Read:
    return lambda line: line.raw.get(name)


def _own(name: str) -> Read:
    return lambda line: line.discriminator.get(name)


def _panel(courses: Sequence[Course], name: str, title: str, read: Read) -> Figure | None:
    drawing, axes = panel()
    told: list[str] = []
    for course in reversed(courses):
        values = _draw(axes, course, read)
        if values is not None:
            told.insert(0, f"{course.style.label}: {values[0]:.3g} at first, {values[1]:.3g} at the end.")
    if not told:
        return None
    _frame(axes)
    legend(axes, courses)
    return finish(drawing, name, title, f"{title} over the iterations spent, smoothed. {' '.join(told)}")


def _draw(axes: Axes, course: Course, read: Read) -> tuple[float, float] | None:
    """Draws a run's curve, stage by stage; returns its first and last smoothed value."""
    ends: list[float] = []
    label = True
    for state, (x, y) in _curves(course, read):
        smooth = smoothed(y)
        step = max(1, len(x) // POINTS)
        gray = course.axis.rejected(state)
        colour = UNDONE if gray else course.style.colour
        axes.plot(x[::step], y[::step], color=colour, linewidth=0.6, alpha=0.16)
        axes.plot(
            x[::step],
            smooth[::step],
            color=colour,
            linewidth=1.1 if gray else 1.9,
            linestyle="--" if gray else course.style.dash,
            label=UNDONE_LABEL if gray else (course.style.label if label else None),
        )
        label = label and gray
        if not gray:
            ends += [float(smooth[0]), float(smooth[-1])]
    return (ends[0], ends[-1]) if ends else None


def _curves(course: Course, read: Read) -> Iterator[tuple[int, Curve]]:
    by_state: dict[int, list[tuple[float, float]]] = {}
    for line in course.run.losses:
        value = read(line)
        if value is not None and line.state in course.axis.begin and np.isfinite(value):
            place = course.axis.begin[line.state] + line.iteration
            by_state.setdefault(line.state, []).append((place, value))
    for state, points in sorted(by_state.items()):
        table = np.asarray(sorted(points), dtype=np.float64)
        yield state, (table[:, 0], table[:, 1])


def smoothed(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A running mean over about a sixth of a stage, cut at its ends: no value leaks between stages."""
    half = max(1, len(values) // 12)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    first, after = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (sums[after] - sums[first]) / (after - first)


def _frame(axes: Axes) -> None:
    """Limits by the smoothed lines: a single spike would flatten everything else."""
    lines = [np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.get_lines() if line.get_linewidth() > 1]
    values = np.concatenate([v for v in lines if len(v)])
    low, high = float(values.min()), float(values.max())
    margin = 0.25 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(max(0.0, low - margin) if low >= 0 else low - margin, high + margin)
