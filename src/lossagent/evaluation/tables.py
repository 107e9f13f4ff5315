"""Tables as papers print them: methods by data sets, an average column, the best in each column.

Averages, in this order: over the images of a condition, over the conditions of a set, over the sets. Each is a plain
mean: a set of 5 images counts as much as one of 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lossagent.evaluation.scores import ImageScore
from lossagent.feedback import Feedback, MetricFacts

AVERAGE = "Average"
TRUTH = "GT"
AVERAGING = (
    "Scores are averaged over the images of a condition, then over the conditions of a set, then over the sets; each "
    "is a plain mean."
)


@dataclass(frozen=True)
class Cell:
    """A mean score.

    Attributes:
        value: ``None`` where there is none; ``inf`` where all images are identical to their references.
        reason: why there is none, or what it lacks.
        best, second: whether it is the best or the second best of its column; the ground truth does not compete.
        steered: whether the method was steered by this metric.
    """

    value: float | None
    reason: str = ""
    best: bool = False
    second: bool = False
    steered: bool = False


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: what it shows.
        columns: heads, without that of the first column.
        first: head of the first column.
        rows: label -> one cell a column.
        places: decimals of each column.
        notes: sentences under it.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Cell, ...]]
    places: tuple[int, ...]
    notes: tuple[str, ...] = ()
    first: str = "Method"


@dataclass(frozen=True)
class Scores:
    """Every score of an evaluation, to be averaged.

    Attributes:
        images: the scores.
        facts: metric -> facts, in the order of the tables.
        methods: labels in order, the ground truth last.
        sets: names in order.
        steered: label -> metrics that it was steered by.
    """

    images: Sequence[ImageScore]
    facts: Mapping[str, MetricFacts]
    methods: tuple[str, ...]
    sets: tuple[str, ...]
    steered: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @cached_property
    def _cells(self) -> dict[tuple[str, str, str], list[ImageScore]]:
        cells: dict[tuple[str, str, str], list[ImageScore]] = {}
        for one in self.images:
            cells.setdefault((one.method, one.set, one.metric), []).append(one)
        return cells

    def cell(self, method: str, set_name: str, metric: str, condition: str | None = None) -> Cell:
        """The mean on one set, or on one condition of it."""
        found = [s for s in self._cells.get((method, set_name, metric), ()) if condition in (None, s.condition)]
        steered = metric in self.steered.get(method, ())
        values = [s.value for s in found if s.value is not None]
        if not values:
            reasons = dict.fromkeys(s.reason for s in found if s.reason)
            return Cell(None, "; ".join(reasons), steered=steered)
        if all(math.isinf(v) for v in values):
            return Cell(math.inf, steered=steered)
        feedback = Feedback(
            scores={metric: {s.image: s.value for s in found}}, conditions={s.image: s.condition for s in found}
        )
        missing = len(found) - sum(math.isfinite(v) for v in values)
        lacks = f"mean of {len(found) - missing} of {len(found)} images" if missing else ""
        return Cell(feedback.mean(metric), lacks, steered=steered)

    def row(self, method: str, metric: str) -> list[Cell]:
        """A cell for each set."""
        return [self.cell(method, name, metric) for name in self.sets]

    def average(self, method: str, metric: str) -> Cell:
        """The mean of the set means, over the sets on which the metric means something (some method has a score)."""
        known = [n for n in self.sets if any(self.cell(m, n, metric).value is not None for m in self.methods)]
        cells = {name: self.cell(method, name, metric) for name in known}
        values = [c.value for c in cells.values() if c.value is not None]
        steered = metric in self.steered.get(method, ())
        if method == TRUTH and self.facts[metric].needs_reference:
            return Cell(None)
        if lacking := [name for name, cell in cells.items() if cell.value is None]:
            return Cell(None, f"no score on {', '.join(lacking)}", steered=steered)
        if not values:
            return Cell(
                None, "; ".join({c.reason: None for c in self.row(method, metric) if c.reason}), steered=steered
            )
        return Cell(sum(values) / len(values), steered=steered)

    def conditions(self, set_name: str) -> tuple[str, ...]:
        """Conditions of a set in the order they come; none where it has but the one without a name."""
        found = tuple(dict.fromkeys(s.condition for s in self.images if s.set == set_name))
        return found if found not in ((), ("",)) else ()


def main_tables(scores: Scores) -> list[Table]:
    """One table a metric: methods x sets and the average, where there is more than one set."""
    tables: list[Table] = []
    for metric, facts in scores.facts.items():
        columns = (*scores.sets, AVERAGE) if len(scores.sets) > 1 else scores.sets
        rows = {
            method: [*scores.row(method, metric), *([scores.average(method, metric)] if len(scores.sets) > 1 else [])]
            for method in scores.methods
        }
        rows = {method: cells for method, cells in rows.items() if method != TRUTH or _any(cells)}
        tables.append(_table(f"{metric} {_arrow(facts)}", columns, rows, [facts] * len(columns)))
    return tables


def condition_tables(scores: Scores) -> list[Table]:
    """One table a metric and set that has conditions: methods x conditions, and their mean."""
    tables: list[Table] = []
    for name in scores.sets:
        conditions = scores.conditions(name)
        for metric, facts in scores.facts.items() if conditions else ():
            rows = {
                method: [
                    *(scores.cell(method, name, metric, c) for c in conditions),
                    scores.cell(method, name, metric),
                ]
                for method in scores.methods
            }
            rows = {method: cells for method, cells in rows.items() if method != TRUTH or _any(cells)}
            heads = (*(c or "no condition" for c in conditions), "Mean")
            tables.append(_table(f"{name}: {metric} {_arrow(facts)} by condition", heads, rows, [facts] * len(heads)))
    return tables


def cross_table(scores: Scores) -> Table:
    """What moving one metric did to all others: methods x metrics, averages over sets; steered cells are marked."""
    facts = list(scores.facts.values())
    columns = tuple(f"{name} {_arrow(f)}" for name, f in scores.facts.items())
    rows = {
        f"{method} ({', '.join(steered)})" if (steered := scores.steered.get(method)) else method: [
            scores.average(method, metric) for metric in scores.facts
        ]
        for method in scores.methods
    }
    over = f"{'Averages over' if len(scores.sets) > 1 else 'On'} {', '.join(scores.sets)}."
    if not any(scores.steered.values()):
        return _table("Every metric", columns, rows, facts, [over])
    title = "What each objective did to every metric"
    notes = [over, "† the metric that the method was steered by."]
    return _table(title, columns, rows, facts, notes, "Method (steered by)")


def _table(
    title: str,
    columns: Iterable[str],
    rows: Mapping[str, Sequence[Cell]],
    facts: Sequence[MetricFacts],
    notes: Sequence[str] = (),
    first: str = "Method",
) -> Table:
    ranked = {label: list(cells) for label, cells in rows.items()}
    heads = tuple(columns)
    for column, fact in enumerate(facts):
        competing = {
            label: round(value, decimals(fact)) if math.isfinite(value) else value
            for label, cells in rows.items()
            if label != TRUTH and (value := cells[column].value) is not None
        }
        order = sorted(set(competing.values()), reverse=fact.direction == "higher")
        for label, value in competing.items() if len(competing) > 1 else ():
            cell = ranked[label][column]
            place = order.index(value)
            second = place == 1 and len(competing) > 2
            ranked[label][column] = Cell(cell.value, cell.reason, place == 0, second, cell.steered)
    reasons: dict[str, list[str]] = {}
    for label, cells in ranked.items():
        for head, cell in zip(heads, cells, strict=True):
            if cell.reason:
                reasons.setdefault(cell.reason, []).append(f"{label} on {head}")
    why = tuple(f"{reason.rstrip('.')}: {_listed(places)}." for reason, places in reasons.items())
    rows = {label: tuple(cells) for label, cells in ranked.items()}
    return Table(title, heads, rows, tuple(decimals(f) for f in facts), (*notes, *why), first)


def decimals(facts: MetricFacts) -> int:
    """Decimals that show a tenth of the change worth speaking of: PSNR 2, SSIM 4."""
    return max(0, min(6, math.ceil(-math.log10(facts.unit)) + 1)) if facts.unit > 0 else 4


def _arrow(facts: MetricFacts) -> str:
    return "↑" if facts.direction == "higher" else "↓"


def _any(cells: Sequence[Cell]) -> bool:
    return any(cell.value is not None for cell in cells)


def _listed(places: Sequence[str]) -> str:
    return ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
