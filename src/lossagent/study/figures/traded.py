"""What was traded for what: the objective of the selected states against a guard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lossagent.feedback import MetricFacts
from lossagent.report.figures.canvas import Figure
from lossagent.report.numbers import plain
from lossagent.report.palette import INK, MUTED, TRUTH, RunStyle
from lossagent.study.complete import mean_of
from lossagent.study.figures.canvas import finished, house, sheet, short
from lossagent.study.results import Results, places

COLUMNS = 4
BESIDE = (("start", "*", "untouched start"), ("correlated-noise control", "X", "start with noise"))


def guard_of(facts: Mapping[str, MetricFacts], targets: Sequence[str]) -> str | None:
    """The guard that a target is drawn against: PSNR, else the first metric that is no target."""
    others = [name for name in facts if name not in targets]
    return next((name for name in others if "psnr" in name.lower()), others[0] if others else None)


def traded_figure(
    results: Results, objective: str, name: str, metric: str, styles: Mapping[str, RunStyle]
) -> Figure | None:
    """Seeds as small markers, means as large ones; the start and the noise control beside them.

    Means are over the seeds that every arm has; without one over each arm's own.
    """
    known = results.facts(objective)
    guard = guard_of(known, results.targets(objective))
    if guard is None or guard == metric:
        return None
    rows = math.ceil((len(results.arms(objective)) + 3) / COLUMNS)
    height = 3.9 + 0.2 * rows
    drawing = sheet(height, 6.4)
    axes = drawing.add_subplot()
    drawing.subplots_adjust(left=0.12, right=0.985, bottom=(0.75 + 0.2 * rows) / height, top=1 - 0.12 / height)
    house(axes)
    axes.grid(axis="x", color="#e6e8eb", linewidth=0.8)
    points: dict[str, dict[int, tuple[float, float]]] = {}
    for arm in results.arms(objective):
        ys, xs = (results.scores(objective, arm, name, "selected", m) for m in (metric, guard))
        if own := {s: (xs[s], ys[s]) for s in ys if s in xs}:
            points[arm] = own
    if not points:
        return None
    common = common_seeds(points.values())
    told = [
        _draw(axes, own, common or tuple(own), styles[arm], known[guard], known[metric]) for arm, own in points.items()
    ]
    _beside(axes, results, objective, name, (guard, metric))
    x, y = known[guard], known[metric]
    axes.set_xlabel(f"{x.name} ({x.direction} is better)", color=MUTED, fontsize=9)
    axes.set_ylabel(f"{y.name} ({y.direction} is better)", color=MUTED, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter("{x:g}")
    drawing.legend(
        loc="lower left", bbox_to_anchor=(0.03, 0.0), ncols=COLUMNS, frameon=False, fontsize=8.5, labelcolor=INK,
        handletextpad=0.3, columnspacing=1.0, borderaxespad=0.2,
    )  # fmt: skip
    counts = sorted({len(own) for own in points.values()})
    over = f"the {len(common)} seeds that every arm has" if common else "each arm's own seeds, none in common"
    if common and len(common) == counts[-1]:
        over = f"{len(common)} {'seed' if len(common) == 1 else 'seeds'}"
    elif len(common) == 1:
        over = "the 1 seed that every arm has"
    title = f"{y.name} against {x.name} on {name}, selected states; means over {over}"
    alt = f"Small markers are seeds, large ones means over {over}. {'; '.join(told)}."
    key = f"traded-{objective}-{name}-{metric}"
    return finished(drawing, key, title, alt, simulated=results.simulated, wide=False)


def common_seeds(points: Iterable[Mapping[int, object]]) -> tuple[int, ...]:
    """Seeds that all have, in order."""
    return tuple(sorted(set[int].intersection(*(set(own) for own in points))))


def _draw(
    axes: Axes,
    points: Mapping[int, tuple[float, float]],
    over: Sequence[int],
    style: RunStyle,
    x: MetricFacts,
    y: MetricFacts,
) -> str:
    xs, ys = ([p[i] for p in points.values()] for i in (0, 1))
    axes.plot(xs, ys, marker=style.marker, color=style.colour, markersize=3.5, alpha=0.35, linestyle="none")
    middle = tuple(math.fsum(points[s][i] for s in over) / len(over) for i in (0, 1))
    axes.plot(
        *middle,
        marker=style.marker,
        color=style.colour,
        markersize=9,
        markeredgecolor="white",
        linestyle="none",
        label=short(style.label),
        zorder=4,
    )
    return f"{style.label} at {plain(middle[0], places(x))} and {plain(middle[1], places(y))}"


def _beside(axes: Axes, results: Results, objective: str, name: str, metrics: tuple[str, str]) -> None:
    for row, marker, label in BESIDE:
        means: list[float] = []
        for metric in metrics:
            found = [v for one in results.every(objective) if (v := mean_of(one, name, row, metric)) is not None]
            if found:
                means.append(math.fsum(found) / len(found))
        if len(means) == len(metrics):
            axes.plot(*means, marker=marker, color=INK, markersize=10, linestyle="none", label=label, zorder=5)
    truth = [v for one in results.every(objective) if (v := mean_of(one, name, "reference", metrics[1])) is not None]
    if truth and not results.facts(objective)[metrics[1]].needs_reference:
        level = math.fsum(truth) / len(truth)
        low, high = axes.get_ylim()
        if low - 0.4 * (high - low) <= level <= high + 0.4 * (high - low):
            axes.axhline(level, color=TRUTH, linewidth=1.1, dashes=(1, 2), zorder=1, label="ground truth")
