"""Where each arm took the weights: ratios to the anchor, stage by stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from lossagent.agents.anchor import anchor_of
from lossagent.report.figures.canvas import Figure
from lossagent.report.numbers import compact
from lossagent.report.palette import INK, MUTED, loss_colours
from lossagent.study.figures.canvas import finished, grid_height, panels, sheet
from lossagent.study.outcome import Outcome
from lossagent.study.results import Results

SHOWN = 20
"""Seeds that get a line of their own."""


def weight_figure(results: Results, objective: str) -> Figure | None:
    """A panel an arm, a colour a loss; every seed faint, the geometric mean over seeds on top."""
    arms = [a for a in results.arms(objective) if a != results.best_of_full]
    runs = {arm: list(results.outcomes[objective][arm].values()) for arm in arms}
    if not runs:
        return None
    initial = next(iter(runs.values()))[0].initial
    anchor = anchor_of(initial, results.bounds)
    losses = [name for name in initial.names if name != anchor]
    if not losses:
        return None
    colours = loss_colours(initial.names)
    drawing = sheet(grid_height(len(arms)) + 0.2)
    for arm, axes in panels(drawing, arms):
        for loss in losses:
            _draw(axes, [ratios(one, loss, anchor) for one in runs[arm]], colours[loss])
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(which="minor", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    height = drawing.get_size_inches()[1]
    drawing.subplots_adjust(top=1 - 0.52 / height)
    handles = [Line2D([], [], color=colours[loss], linewidth=2.4, label=f"{loss} ÷ {anchor}") for loss in losses]
    drawing.legend(
        handles=handles, loc="upper left", ncols=min(6, len(losses)), frameon=False, fontsize=9, labelcolor=INK,
        bbox_to_anchor=(0.05, 1.0), borderaxespad=0.1,
    )  # fmt: skip
    drawing.supxlabel("stage, in the order trained", color=MUTED, fontsize=9, y=0.01)
    drawing.supylabel(f"weight ÷ weight of {anchor}", color=MUTED, fontsize=9, x=0.004)
    title = f"Weights of every arm, as ratios to {anchor}: seeds faint, their geometric mean strong"
    alt = "A panel for each arm, log axis; faint lines are seeds, strong ones their geometric mean. "
    alt += _told(runs, losses, anchor)
    return finished(drawing, f"weights-{objective}", title, alt, simulated=results.simulated)


def ratios(one: Outcome, loss: str, anchor: str) -> list[float]:
    """The ratio under which each stage was trained; NaN while either loss is off."""
    found: list[float] = []
    for state in one.states:
        if state.weights is not None:
            values = state.weights.values()
            value, base = values.get(loss, 0.0), values.get(anchor, 0.0)
            found.append(value / base if value > 0 and base > 0 else math.nan)
    return found


def _draw(axes: Axes, curves: Sequence[Sequence[float]], colour: str) -> None:
    length = max((len(c) for c in curves), default=0)
    if not length:
        return
    rows = np.full((len(curves), length), np.nan)
    for place, curve in enumerate(curves):
        rows[place, : len(curve)] = curve
        if place < SHOWN:
            axes.plot(range(1, len(curve) + 1), curve, color=colour, linewidth=0.8, alpha=0.3)
    counts = np.isfinite(rows).sum(axis=0)
    sums = np.nansum(np.log(rows), axis=0)
    means = np.exp(np.divide(sums, counts, out=np.full(length, np.nan), where=counts > 0))
    axes.plot(range(1, length + 1), means, color=colour, linewidth=2.2)


def _tick(value: float, _: int | None) -> str:
    return compact(value)


def _told(runs: Mapping[str, Sequence[Outcome]], losses: Sequence[str], anchor: str) -> str:
    """The means at the last stage."""
    parts: list[str] = []
    for arm, outcomes in runs.items():
        ends: list[str] = []
        for loss in losses:
            last = [math.log(r[-1]) for one in outcomes if (r := ratios(one, loss, anchor)) and math.isfinite(r[-1])]
            ends.append(f"{loss} {compact(math.exp(sum(last) / len(last))) if last else 'off'}")
        parts.append(f"{arm}: {', '.join(ends)}")
    return f"At the last stage {'; '.join(parts)}."
