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
from lossagent.study.complete import state_of
from lossagent.study.figures.canvas import finished, grid_height, panels, sheet
from lossagent.study.outcome import Outcome
from lossagent.study.results import Results, at_depth, places
from lossagent.study.settings import FIXED

Points = Sequence[tuple[int, float]]


def anytime_figure(results: Results, objective: str, metric: str, styles: Mapping[str, RunStyle]) -> Figure | None:
    """A panel an arm: mean and 95 % t interval over seeds of the best state so far, the fixed arm's mean behind it.

    Where there is a fixed arm, both are over the seeds that both have.
    """
    facts = results.facts(objective)[metric]
    fixed = results.outcomes[objective].get(FIXED, {})
    curves: dict[str, dict[int, Points]] = {}
    for arm in results.arms(objective):
        if arm != results.best_of_full:  # several runs at once have no common course
            runs = results.outcomes[objective][arm]
            found: dict[int, Points] = {s: best_so_far(one, fixed.get(s), metric) for s, one in runs.items()}
            if known := {s: points for s, points in found.items() if points}:
                curves[arm] = known
    if not curves:
        return None
    drawing = sheet(grid_height(len(curves)))
    told: list[str] = []
    pairs = {arm: beside_fixed(own, curves.get(FIXED, {}) if arm != FIXED else {}) for arm, own in curves.items()}
    for arm, axes in panels(drawing, tuple(curves)):
        own, beside = pairs[arm]
        if beside:
            spent, means = _mean(beside)
            grid, means = _extended(spent, 0.03 * spent[-1]), _extended(means)
            axes.step(grid, means, where="post", color=styles[FIXED].colour, linewidth=1.2, alpha=0.8)
        _draw(axes, own, styles[arm])
        axes.set_title(f"n = {len(own)}", loc="right", fontsize=8, color=MUTED, pad=3)
        told.append(f"{arm} {plain(float(_mean(own)[1][-1]), places(facts))} over {_seeds(len(own))}")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    drawing.supxlabel("training iterations spent", color=MUTED, fontsize=9, y=0.01)
    drawing.supylabel(f"{facts.name} ({facts.direction} is better)", color=MUTED, fontsize=9, x=0.004)
    title = (
        f"Best {facts.name} so far on the selection set: mean and 95 % interval over n seeds; thin: fixed, same seeds"
    )
    alt = f"A panel for each arm; the orange line is the fixed arm over the same seeds. At the end: {', '.join(told)}."
    return finished(drawing, f"anytime-{objective}-{metric}", title, alt, simulated=results.simulated)


def beside_fixed(own: Mapping[int, Points], fixed: Mapping[int, Points]) -> tuple[list[Points], list[Points]]:
    """The courses of an arm and of the fixed arm over the seeds that both have; the arm's alone where that is none."""
    common = [seed for seed in own if seed in fixed]
    return ([own[s] for s in common], [fixed[s] for s in common]) if common else (list(own.values()), [])


def _seeds(count: int) -> str:
    return f"{count} {'seed' if count == 1 else 'seeds'}"


def best_so_far(one: Outcome, fixed: Outcome | None, metric: str) -> list[tuple[int, float]]:
    """(iterations spent, score of the state that selection would keep then), state by state."""
    goal, start = one.goal.kept_by, one.selection.get(0)
    if start is None or not goal.has_utility:
        return []
    spent, best = 0, None
    points: list[tuple[int, float]] = []
    for state in one.states:
        spent += state.report.iterations if state.report is not None else 0
        feedback = state_of(one, state.id)
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
