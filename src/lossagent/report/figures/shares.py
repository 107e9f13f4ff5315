"""Gradient shares: which loss really pulls on the restored image, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence

from lossagent.report.figures.canvas import Course, Figure, finish, label_axis, legend, panel
from lossagent.report.palette import UNDONE, UNDONE_LABEL, loss_colours


def share_figures(courses: Sequence[Course]) -> tuple[Figure, ...]:
    """A stacked area for each run that recorded evidence."""
    return tuple(f for i, c in enumerate(courses) if (f := _areas(c, i)) is not None)


def _areas(course: Course, place: int) -> Figure | None:
    run, axis = course.run, course.axis
    # Shares of S_i are taken at its end under the weights that led to it.
    known = [
        (s.id, s.report.evidence.shares(run.trajectory.weights_at(s.id)))
        for s in run.trajectory.states
        if s.id > 0 and s.report is not None and s.report.evidence.image_norms and s.id in axis.end
    ]
    if not known:
        return None
    drawing, axes = panel()
    colours = loss_colours(run.trajectory.initial.names)
    edges = [float(axis.begin[known[0][0]])]
    columns: list[dict[str, float]] = []
    for state, shares in known:
        edges.append(float(axis.end[state]))
        columns.append(shares)
    floor = [0.0] * len(edges)
    for name, colour in colours.items():
        part = [100 * c.get(name, 0.0) for c in columns]
        top = [f + p for f, p in zip(floor, [part[0], *part], strict=True)]
        axes.fill_between(
            edges,
            floor,
            top,
            step="pre",
            color=colour,
            alpha=0.9,
            linewidth=0.6,
            edgecolor="white",
            label=name,
        )
        floor = top
    for state, _ in known:
        if axis.rejected(state):
            axes.axvspan(
                axis.begin[state],
                axis.end[state],
                facecolor="white",
                alpha=0.6,
                hatch="///",
                edgecolor=UNDONE,
                linewidth=0,
                label=UNDONE_LABEL,
            )
    axes.set_ylim(0, 100)
    axes.set_xlim(edges[0], edges[-1])
    label_axis(axes, course)
    axes.set_ylabel("share of the gradient, %", color="#59636e", fontsize=9)
    axes.grid(visible=False)
    legend(axes, (), columns=4)
    last = ", ".join(f"{n} {100 * columns[-1].get(n, 0.0):.0f} %" for n in colours)
    title = f"{course.style.label}: gradient share of each loss"
    alt = f"Stacked areas: share of each weighted loss in the gradient on the restored image. At the end {last}."
    return finish(drawing, f"shares-{place}-{course.style.label}", title, alt)
