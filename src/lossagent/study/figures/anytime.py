"""How good the best state so far was, as the iterations were spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from lossagent.report.figures.canvas import Figure
from lossagent.report.numbers import plain
from lossagent.report.palette import MUTED, RunStyle
from lossagent.statistics import paired
from lossagent.study.figures.canvas import finished, grid_height, panels, sheet
from lossagent.study.outcome import Outcome
from lossagent.study.results import Results, at_depth, places
from lossagent.study.settings import FIXED

Points = Sequence[tuple[int, float]]


def anytime_figure(results: Results, objective: str, metric: str, styles: Mapping[str, RunStyle]) -> Figure | None:
    """A panel an arm: mean and 95 % t interval over seeds of the best state so far, the fixed arm's mean behind it."""
    facts = results.facts(objective)[metric]
    fixed = results.outcomes[objective].get(FIXED, {})
    curves: dict[str, list[Points]] = {}
    for arm in results.arms(objective):
        if arm != results.best_of_full:  # several runs at once have no common course
            runs = results.outcomes[objective][arm]
            found: list[Points] = [best_so_far(one, fixed.get(seed), metric) for seed, one in runs.items()]
            if known := [points for points in found if points]:
                curves[arm] = known
    if not curves:
        return None
    beside = _mean(curves[FIXED]) if FIXED in curves else None
    drawing = sheet(grid_height(len(curves)))
    told: list[str] = []
    for arm, axes in panels(drawing, tuple(curves)):
        if beside is not None and arm != FIXED:
            grid, means = _extended(beside[0], 0.03 * beside[0][-1]), _extended(beside[1])
            axes.step(grid, means, where="post", color=styles[FIXED].colour, linewidth=1.2, alpha=0.8)
        _draw(axes, curves[arm], styles[arm])
        told.append(f"{arm} {plain(float(_mean(curves[arm])[1][-1]), places(facts))}")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    drawing.supxlabel("training iterations spent", color=MUTED, fontsize=9, y=0.01)
    drawing.supylabel(f"{facts.name} ({facts.direction} is better)", color=MUTED, fontsize=9, x=0.004)
    title = f"Best {facts.name} so far on the selection set: mean and 95 % interval over seeds, fixed as a thin line"
    alt = f"A panel for each arm; the orange line is the fixed arm. At the end: {', '.join(told)}."
    return finished(drawing, f"anytime-{objective}-{metric}", title, alt, simulated=results.simulated)


def best_so_far(one: Outcome, fixed: Outcome | None, metric: str) -> list[tuple[int, float]]:
    """(iterations spent, score of the state that selection would keep then), state by state."""
    goal, start = one.goal.kept_by, one.selection.get(0)
    if start is None or not goal.has_utility:
        return []
    spent, best = 0, None
    points: list[tuple[int, float]] = []
    for state in one.states:
        spent += state.report.iterations if state.report is not None else 0
        feedback = one.selection.get(state.id)
        if feedback is None:
            continue
        beside = at_depth(fixed, state.depth) if fixed is not None else None
        missing = beside is None and any(c.relative_to == "fixed" for c in goal.constraints)
        rank = (-float("inf"), -float("inf")) if missing else goal.rank(feedback, start, beside)
        if best is None or rank > best[0]:
            best = (rank, feedback.mean(metric))
        if best[1] is not None:
            points.append((spent, best[1]))
    return points


def _on_grid(curves: Sequence[Points]) -> tuple[np.ndarray, np.ndarray]:
    """(grid, (seeds, grid)): the last value known at each place where some curve changes."""
    begin = max(points[0][0] for points in curves)
    grid = np.array(sorted({x for points in curves for x, _ in points if x >= begin}))
    rows = [
        np.array([y for _, y in points])[np.searchsorted([x for x, _ in points], grid, side="right") - 1]
        for points in curves
    ]
    return grid, np.array(rows)


def _mean(curves: Sequence[Points]) -> tuple[np.ndarray, np.ndarray]:
    grid, rows = _on_grid(curves)
    return grid, rows.mean(axis=0)


def _extended(values: np.ndarray, more: float = 0.0) -> np.ndarray:
    """With the last value once more, so that the last step has a length."""
    return np.append(values, values[-1] + more)


def _draw(axes: Axes, curves: Sequence[Points], style: RunStyle) -> None:
    grid, rows = _on_grid(curves)
    grid, rows = _extended(grid, 0.03 * grid[-1]), np.column_stack([rows, rows[:, -1]])
    if len(rows) > 1:
        bands = [paired([float(x) for x in column], "t") for column in rows.T]
        low, high = [b.low for b in bands], [b.high for b in bands]
        axes.fill_between(grid, low, high, step="post", color=style.colour, alpha=0.22, linewidth=0)
    axes.step(grid, rows.mean(axis=0), where="post", color=style.colour, linewidth=2)
