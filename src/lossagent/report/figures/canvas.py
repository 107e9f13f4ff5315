"""One drawing style for all figures, without matplotlib's global state."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import EngFormatter, MaxNLocator

from lossagent.report.palette import FAINT, INK, MUTED, RunStyle
from lossagent.report.reading import RunData
from lossagent.report.timeline import Timeline, timeline

SIZE, DPI = (5.6, 3.3), 170


@dataclass(frozen=True)
class Figure:
    """A finished picture.

    Attributes:
        name: file name without ending.
        title: heading above it.
        alt: what is seen, for those who do not see it.
        png: the file's bytes.
        wide: whether it takes the whole width of the page.
    """

    name: str
    title: str
    alt: str
    png: bytes
    wide: bool = False


@dataclass(frozen=True)
class Course:
    """A run with its style and time axis, as figures need them together."""

    run: RunData
    style: RunStyle
    axis: Timeline


def courses(runs: Sequence[RunData], styles: Sequence[RunStyle]) -> tuple[Course, ...]:
    """Runs, styles and time axes side by side."""
    return tuple(Course(r, s, timeline(r)) for r, s in zip(runs, styles, strict=True))


def panel(wide: bool = False) -> tuple[Drawing, Axes]:
    """An empty figure with one pair of axes in the house style."""
    drawing = Drawing(figsize=(SIZE[0] * 2, SIZE[1]) if wide else SIZE, dpi=DPI)
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    # Fixed margins: the panels of a row line up, and no layout has to be solved.
    drawing.subplots_adjust(left=0.1, right=0.985, bottom=0.145, top=0.96)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=MUTED, labelsize=9, length=3)
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    return drawing, axes


def label_axis(axes: Axes, course: Course) -> None:
    """Says what is counted along the figure."""
    what = "training iterations spent" if course.axis.counted else "stages trained"
    axes.set_xlabel(what, color=MUTED, fontsize=9)


def legend(axes: Axes, courses: Sequence[Course], columns: int = 3) -> None:
    """A legend above the axes, where no curve can run into it; runs first, in their order. The axis starts at 0."""
    if courses:
        label_axis(axes, courses[0])
        axes.set_xlim(0, 1.02 * max(1, *(c.axis.total for c in courses)))
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    found = dict(zip(labels, handles, strict=True))
    order = [c.style.label for c in courses if c.style.label in found]
    unique = {label: found[label] for label in dict.fromkeys([*order, *found])}
    rows = math.ceil(len(unique) / columns)
    if (drawing := axes.get_figure(root=True)) is not None:
        drawing.subplots_adjust(top=0.97 - 0.062 * rows)
    axes.legend(
        list(unique.values()),
        list(unique),
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
        handlelength=2.2,
        columnspacing=1.4,
        borderaxespad=0.2,
    )


def finish(drawing: Drawing, name: str, title: str, alt: str, wide: bool = False) -> Figure:
    """The PNG of a figure; a file name never holds more than letters, digits, "-" and "_"."""
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)
    return Figure(safe, title, alt, buffer.getvalue(), wide)


def segments(course: Course) -> itertools.chain[tuple[int, int]]:
    """(parent, child) of every trained stage, rejected ones first so that kept ones lie on top."""
    edges = [(s.parent, s.id) for s in course.run.trajectory.states if s.parent is not None and s.id in course.axis.end]
    known = [(p, c) for p, c in edges if p in course.axis.end]
    return itertools.chain(
        (e for e in known if course.axis.rejected(e[1])), (e for e in known if not course.axis.rejected(e[1]))
    )
