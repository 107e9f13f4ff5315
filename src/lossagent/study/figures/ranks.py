"""Mean ranks with their intervals, the best on top."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lossagent.report.figures.canvas import Figure
from lossagent.report.numbers import plain
from lossagent.report.palette import MUTED, RunStyle
from lossagent.study.figures.canvas import finished, house, rows_axis, sheet
from lossagent.study.results import Results
from lossagent.study.tables.ranks import ranks_of


def rank_figure(results: Results, objective: str, styles: Mapping[str, RunStyle]) -> Figure | None:
    """The ranks as a row an arm; arms whose intervals overlap are not told apart by rank."""
    found = ranks_of(results, objective)
    if found is None:
        return None
    order = sorted(range(len(found.arms)), key=lambda i: found.mean[i])
    drawing = sheet(0.95 + 0.3 * len(order), 7.2)
    axes = drawing.add_subplot()
    height = drawing.get_size_inches()[1]
    drawing.subplots_adjust(left=0.26, right=0.975, bottom=0.55 / height, top=1 - 0.22 / height)
    house(axes, "x")
    for place, i in enumerate(order):
        style = styles[found.arms[i]]
        if math.isfinite(found.low[i]):
            axes.plot([found.low[i], found.high[i]], [place, place], color=style.colour, linewidth=3, alpha=0.45)
        axes.plot(found.mean[i], place, marker=style.marker, color=style.colour, markersize=7, linestyle="none")
    names = [found.arms[i] for i in order]
    rows_axis(axes, names, dict(styles))
    axes.set_xlim(0.7, len(names) + 0.3)
    count = f"{len(found.seeds)} {'seed' if len(found.seeds) == 1 else 'seeds'}"
    axes.set_xlabel(f"mean rank over {count} and {', '.join(found.sets)} (1 is best)", color=MUTED, fontsize=9)
    told = ", ".join(f"{found.arms[i]} {plain(found.mean[i], 2)}" for i in order)
    alt = f"Mean ranks with 95 % bootstrap intervals over seeds: {told}."
    title = "Mean rank, 95 % bootstrap interval over seeds"
    return finished(drawing, f"ranks-{objective}", title, alt, simulated=results.simulated, wide=False)
