"""A table as a value, before it is HTML, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.feedback import MetricFacts
from lossagent.report.numbers import plain, signed
from lossagent.study.comparisons import Comparison, mean_and_spread, p_words
from lossagent.study.results import places

Mark = Literal["", "better", "worse", "none", "broken"]
MARKS: dict[str, str] = {"": "", "better": "✓", "worse": "✗", "none": "≈", "broken": "!"}
WORDS: dict[str, str] = {
    "": "",
    "better": "better",
    "worse": "worse",
    "none": "no difference shown",
    "broken": "broken",
}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the number, as printed.
        note: smaller, below it: an interval, a range.
        aside: smaller, beside it: a p.
        mark: what may be said of it.
        value: the number behind the text, for JSON.
    """

    text: str
    note: str = ""
    mark: Mark = ""
    value: float | None = None
    aside: str = ""


EMPTY = Cell("")
MISSING = Cell("n/a")


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        label: the arm, or what it is.
        cells: one a column.
        note: smaller, below the label.
        kind: ``"arm"``; ``"beside"`` for rows that are no arm: the start, the ground truth, the noise control.
        arm: whose colour it has, "" without one.
    """

    label: str
    cells: tuple[Cell, ...]
    note: str = ""
    kind: Literal["arm", "beside"] = "arm"
    arm: str = ""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: names it in ``tables.json`` and in links.
        title: what it shows.
        columns: heads, the first column's left out; (head, smaller text below it).
        rows: in the order of the study file.
        notes: sentences under it.
        folded: whether the page shows it on request only.
    """

    key: str
    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """Tables that belong together.

    Attributes:
        key: names it in links.
        short, title: in the menu, and above it.
        tables: in order.
        about: a sentence under the title.
        notes: how all its tables are to be read.
    """

    key: str
    short: str
    title: str
    tables: tuple[Table, ...]
    about: str = ""
    notes: tuple[str, ...] = ()


def arrow(facts: MetricFacts) -> str:
    """``niqe ↓``."""
    return f"{facts.name} {'↓' if facts.direction == 'lower' else '↑'}"


def wanted(facts: MetricFacts) -> str:
    """The arrow in words."""
    return f"{facts.direction} is better"


def score(values: Sequence[float], decimals: int, note: str = "") -> Cell:
    """Mean and standard deviation over seeds."""
    if not values:
        return MISSING
    mean, spread = mean_and_spread(values)
    text = plain(mean, decimals)
    return Cell(text if spread is None else f"{text} ± {plain(spread, decimals)}", note, "", mean)


def no_interval(seeds: int) -> str:
    """Why there is none."""
    return "no interval from one seed" if seeds == 1 else f"no interval from {seeds} equal differences"


def difference(one: Comparison | None, facts: MetricFacts | None, seeds: int | None = None) -> Cell:
    """A paired difference with its interval, its p and what may be said of it.

    Args:
        one: the comparison, ``None`` where the two have no seed in common.
        facts: of the metric.
        seeds: how many the arm has; where fewer are compared the cell says so.
    """
    if one is None:
        return MISSING
    decimals = places(facts, 1)
    interval = f"[{plain(one.interval.low, decimals)}, {plain(one.interval.high, decimals)}]"
    if not one.interval.bounded:
        interval = no_interval(one.test.n)
    elif one.interval.method != one.test.method:
        interval += " t"
    if seeds is not None and len(one.seeds) < seeds:
        interval += f", n = {len(one.seeds)}"
    return Cell(
        signed(one.test.mean, decimals),
        interval,
        one.verdict,
        one.test.mean,
        p_words(one.corrected),
    )
