"""Paired differences against each reference, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lossagent.feedback import MetricFacts
from lossagent.report.figures.canvas import Figure
from lossagent.report.numbers import signed
from lossagent.report.palette import INK, MUTED, RunStyle
from lossagent.study.comparisons import Comparison, on_test_set
from lossagent.study.figures.canvas import WIDTH, finished, house, rows_axis, sheet, short
from lossagent.study.results import Results, places


def forest_figure(
    results: Results, objective: str, name: str, metric: str, styles: Mapping[str, RunStyle]
) -> Figure | None:
    """A panel for each reference, a row for each arm; filled markers are differences that are shown."""
    facts = results.facts(objective)[metric]
    found = {reference: rows for reference, rows in on_test_set(results, objective, name, metric).items() if rows}
    arms = results.arms(objective)
    if not found or len(arms) < 2:
        return None
    drawing = sheet(1.1 + 0.28 * len(arms), WIDTH if len(found) > 1 else 7.2)
    width, height = drawing.get_size_inches()
    drawing.subplots_adjust(
        left=1.75 / width, right=1 - 0.15 / width, bottom=0.6 / height, top=1 - 0.35 / height, wspace=0.06
    )
    first: Axes | None = None
    for place, (reference, rows) in enumerate(found.items()):
        axes = drawing.add_subplot(1, len(found), place + 1, sharex=first, sharey=first)
        first = first or axes
        _panel(axes, arms, rows, facts, styles)
        axes.xaxis.set_major_locator(MaxNLocator(max(3, 10 // len(found))))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(_limits([one for several in found.values() for one in several.values()]))
        axes.set_title(f"minus {short(reference)}", loc="left", fontsize=10, color=INK, pad=4)
        axes.set_title(_counts(rows), loc="right", fontsize=8, color=MUTED, pad=4)
        if place:
            axes.tick_params(labelleft=False)
    side = "left" if facts.direction == "lower" else "right"
    drawing.text(
        (1.75 / width + 1) / 2,
        0.08 / height,
        f"difference in {facts.name} ({facts.direction} is better: {side} of the line)",
        ha="center",
        color=MUTED,
        fontsize=9,
    )
    told = "; ".join(
        f"minus {r}: "
        + ", ".join(f"{a} {signed(c.test.mean, places(facts, 1))} (n = {len(c.seeds)})" for a, c in rows.items())
        for r, rows in found.items()
    )
    title = f"{facts.name} on {name}: paired differences and 95 % intervals"
    key = f"differences-{objective}-{name}-{metric}"
    alt = f"Mean paired differences of the selected states. {told}."
    return finished(drawing, key, title, alt, simulated=results.simulated, wide=len(found) > 1)


def _counts(rows: Mapping[str, Comparison]) -> str:
    """``n = 10``, ``n = 5 to 10``: seeds that both arms have."""
    counts = [len(one.seeds) for one in rows.values()]
    return f"n = {min(counts)}" if min(counts) == max(counts) else f"n = {min(counts)} to {max(counts)}"


def _limits(every: Sequence[Comparison]) -> tuple[float, float]:
    """Room for every interval, and for no difference."""
    ends = [0.0]
    for one in every:
        ends += [one.interval.low, one.interval.high] if one.interval.bounded else [one.test.mean]
    room = 0.05 * (max(ends) - min(ends)) or 1.0
    return min(ends) - room, max(ends) + room


def _panel(
    axes: Axes,
    arms: tuple[str, ...],
    rows: Mapping[str, Comparison],
    facts: MetricFacts,
    styles: Mapping[str, RunStyle],
) -> None:
    house(axes, "x")
    axes.axvline(0, color=INK, linewidth=1)
    better = (-1e6, 0.0) if facts.direction == "lower" else (0.0, 1e6)
    for place, arm in enumerate(arms):
        one = rows.get(arm)
        if one is None:
            continue
        style = styles[arm]
        if one.interval.bounded:
            axes.plot(
                [one.interval.low, one.interval.high], [place, place], color=style.colour, linewidth=2.2, alpha=0.6
            )
        axes.plot(
            one.test.mean,
            place,
            marker=style.marker,
            markersize=7,
            color=style.colour,
            markerfacecolor=style.colour if one.verdict != "none" else "white",
            linestyle="none",
        )
    axes.axvspan(*better, color="#0b6e4f", alpha=0.05, linewidth=0)
    rows_axis(axes, arms, dict(styles))
