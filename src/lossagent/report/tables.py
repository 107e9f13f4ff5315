"""The headline tables: scores of the start, the fixed run and each agent, one table for each image set."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lossagent.feedback import POOLED
from lossagent.report.degradations import synthetic_conditions
from lossagent.report.naming import MetricInfo, fixed_run, is_fixed
from lossagent.report.numbers import NONE, Conditions, Difference, Scores, infinite, mean, paired, plain, signed
from lossagent.report.palette import RunStyle
from lossagent.report.reading import EvaluatedRow, EvaluatedSet, RunData
from lossagent.report.sets import (
    CONTROL,
    GROUND_TRUTH,
    OTHER_PURPOSE,
    PURPOSES,
    UNSHARED,
    by_purpose,
    row_at_depth,
    sets_of,
)
from lossagent.report.timeline import timeline

MISSING = "n/a"
_OWN = ("start", "selected", "last")


@dataclass(frozen=True)
class Versus:
    """A difference to another row, as text.

    Attributes:
        change: signed mean difference.
        interval: ``"[low, high]"``, ``"not estimable (n images)"``, or "" where none is wanted.
        verdict: see :meth:`lossagent.report.numbers.Difference.verdict`.
    """

    change: str
    interval: str
    verdict: str


@dataclass(frozen=True)
class Cell:
    """A mean score and its differences: to the start, to the fixed run at the same budget and at the same depth.

    ``lacking`` says of how many images it is the mean, where some have no score.
    """

    value: str
    start: Versus | None = None
    fixed: Versus | None = None
    depth: Versus | None = None
    lacking: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        label, note: what stands in the first column, and in small below it.
        colour: colour of its run, ``None`` for rows of no run.
        kind: ``"start"``, ``"fixed"``, ``"agent"``, ``"truth"`` or ``"control"``.
        reported: whether it is the selected state of the reported run.
    """

    label: str
    note: str
    colour: str | None
    kind: str
    cells: tuple[Cell, ...]
    reported: bool = False


@dataclass(frozen=True)
class ConditionRow:
    """A row of a condition table: a mean for each condition, then the mean of these means."""

    label: str
    colour: str | None
    kind: str
    values: tuple[str, ...]
    reported: bool = False


@dataclass(frozen=True)
class ConditionTable:
    """Means of one metric within each condition of a set.

    Attributes:
        conditions: (condition, number of its images).
    """

    metric: MetricInfo
    conditions: tuple[tuple[str, int], ...]
    rows: tuple[ConditionRow, ...]


@dataclass(frozen=True)
class SetTable:
    """Scores on one image set.

    Attributes:
        by_condition: one table a metric, where the set has conditions.
    """

    name: str
    purpose: str
    images: int
    metrics: tuple[MetricInfo, ...]
    rows: tuple[Row, ...]
    interval: bool
    by_condition: tuple[ConditionTable, ...] = ()


@dataclass(frozen=True)
class _Source:
    """A row before it is text."""

    label: str
    note: str
    kind: str
    colour: str | None
    scores: Mapping[str, Scores]
    against: Mapping[str, Scores] | None = None
    at_depth: Mapping[str, Scores] | None = None
    reported: bool = False


def set_tables(
    runs: Sequence[RunData], styles: Sequence[RunStyle], metrics: Mapping[str, MetricInfo], *, intervals: bool
) -> tuple[SetTable, ...]:
    """One table an image set, test sets first; the sets are kept apart.

    Args:
        runs, styles: the reported run and those beside it.
        metrics: from :func:`lossagent.report.naming.metrics_of`.
        intervals: whether differences get an interval.
    """
    names = dict.fromkeys(n for run in runs for n in sets_of(run))
    order = sorted(names, key=by_purpose)
    return tuple(_table(name, runs, styles, metrics, intervals) for name in order)


def _table(
    name: str,
    runs: Sequence[RunData],
    styles: Sequence[RunStyle],
    metrics: Mapping[str, MetricInfo],
    intervals: bool,
) -> SetTable:
    sources = list(_sources(name, runs, styles))
    shown = tuple(m for m in metrics.values() if any(m.name in s.scores for s in sources))
    start = next((s.scores for s in sources if s.kind == "start"), None)
    own = sets_of(runs[0]).get(name, EvaluatedSet())
    rows = tuple(
        Row(
            s.label,
            s.note,
            s.colour,
            s.kind,
            tuple(_cell(s, m, start, intervals, own.conditions) for m in shown),
            s.reported,
        )
        for s in sources
    )
    drawn = synthetic_conditions(runs[0], name.removesuffix(UNSHARED))
    images = max((len(s.scores.get(m.name, {}).keys() - {POOLED}) for s in sources for m in shown), default=0)
    return SetTable(
        name,
        PURPOSES.get(name.removesuffix(UNSHARED), OTHER_PURPOSE),
        images,
        shown,
        rows,
        intervals,
        tuple(_by_condition(m, sources, own, drawn) for m in shown) if own.named_conditions else (),
    )


def _by_condition(
    metric: MetricInfo, sources: Sequence[_Source], own: EvaluatedSet, drawn: Container[str]
) -> ConditionTable:
    """Means of one metric in each condition; those that are ``drawn`` are called synthetic."""
    groups = {c: [i for i in own.images if own.conditions.get(i, "") == c] for c in own.named_conditions}
    rows: list[ConditionRow] = []
    for source in sources:
        scores = source.scores.get(metric.name, {})
        parts = [_shown({i: scores.get(i) for i in images}, metric, NONE) for images in groups.values()]
        if any(part != MISSING for part in parts):
            values = (*parts, _shown(scores, metric, own.conditions))
            rows.append(ConditionRow(source.label, source.colour, source.kind, values, source.reported))
    names = {c: f"{c} (synthetic)" if c in drawn and "synthetic" not in c else c or "no condition" for c in groups}
    return ConditionTable(metric, tuple((names[c], len(images)) for c, images in groups.items()), tuple(rows))


def _shown(scores: Scores, metric: MetricInfo, conditions: Conditions) -> str:
    value = mean(scores, conditions)
    if value is None:
        return "∞" if infinite(scores) else MISSING
    return plain(value, metric.places(value))


def _sources(name: str, runs: Sequence[RunData], styles: Sequence[RunStyle]) -> Iterator[_Source]:
    main, fixed = runs[0], fixed_run(runs)
    own = sets_of(main).get(name, EvaluatedSet())
    if (start := own.rows.get("start")) is not None:
        yield _Source("Untouched start", "S0, before training", "start", None, start.scores)
    order = sorted(range(len(runs)), key=lambda i: (not is_fixed(runs[i]), i))
    for i in order:
        yield from _run_rows(name, runs[i], styles[i], runs[i] is main, fixed)
        if fixed is not None and runs[i] is fixed:
            yield from _same_depth(name, main, fixed, styles[i])
    for label, kind, note in (
        (GROUND_TRUTH, "truth", "a ceiling: beyond it the metric no longer means what it should"),
        (CONTROL, "control", "the start with blurred noise added: what the metric gives for nothing"),
    ):
        if (row := own.rows.get(label)) is not None:
            yield _Source(label.capitalize(), note, kind, None, row.scores)


def _run_rows(name: str, run: RunData, style: RunStyle, reported: bool, fixed: RunData | None) -> Iterator[_Source]:
    rows = sets_of(run).get(name, EvaluatedSet()).rows
    others = sets_of(fixed).get(name, EvaluatedSet()).rows if fixed is not None and fixed is not run else {}
    selected, last = rows.get("selected"), rows.get("last")
    same = selected is not None and last is not None and selected.state == last.state
    for label, row in rows.items():
        if label in ("start", GROUND_TRUTH, CONTROL) or (same and label == "last"):
            continue
        if run.last.id == 0 and row.state == 0:  # nothing was trained: there is no state but the start
            continue
        if label not in _OWN and any(r is not None and r.state == row.state for r in (selected, last)):
            continue  # evaluated for a depth that is shown already
        title = "selected\u00a0=\u00a0last" if same and label == "selected" else label
        against = others.get(label) if label in _OWN else None
        deep = row_at_depth(fixed, name, row.depth) if fixed not in (None, run) and row.depth else None
        if deep is not None and against is not None and deep.state == against.state:
            deep = None
        yield _Source(
            f"{style.label}, {title}",
            _where(run, row),
            "fixed" if is_fixed(run) else "agent",
            style.colour,
            row.scores,
            against.scores if against is not None else None,
            deep.scores if deep is not None else None,
            reported and label == "selected",
        )


def _same_depth(name: str, main: RunData, fixed: RunData, style: RunStyle) -> Iterator[_Source]:
    """The fixed run at the depth of the selected state, where that is none of the rows already there."""
    depth = main.selected.depth
    row = row_at_depth(fixed, name, depth)
    if row is None or row.state is None or depth == 0:
        return
    if row.state not in {r.state for r in sets_of(fixed).get(name, EvaluatedSet()).rows.values()}:
        note = f"{_where(fixed, row)}: as deep as the selected state"
        yield _Source(f"{style.label}, same depth", note, "fixed", style.colour, row.scores)


def _where(run: RunData, row: EvaluatedRow) -> str:
    if row.state is None or row.state >= len(run.trajectory.states):
        return ""
    state = run.trajectory.states[row.state]
    reached = sum(s.report.iterations for s in run.trajectory.path(state.id) if s.report is not None)
    axis = timeline(run)
    if not axis.counted:
        return f"S{state.id}, depth {state.depth}"
    spent = axis.end.get(state.id, reached)
    cost = f"{reached:,} iterations"
    if spent != reached:
        cost += f" of {spent:,} spent"
    return f"S{state.id}, depth {state.depth}, {cost}"


def _cell(
    source: _Source,
    metric: MetricInfo,
    start: Mapping[str, Scores] | None,
    intervals: bool,
    conditions: Conditions,
) -> Cell:
    scores = source.scores.get(metric.name, {})
    text = _shown(scores, metric, conditions)
    if mean(scores, conditions) is None:
        return Cell(text)
    missing = sum(score is None or math.isnan(score) for score in scores.values())
    lacking = f"of {len(scores) - missing} of {len(scores)} images" if missing else ""
    if source.kind not in ("fixed", "agent", "control") or start is None:
        return Cell(text, lacking=lacking)
    if source.kind == "control":  # what noise does is shown, and judged in no table
        change = paired(scores, start.get(metric.name, {}), conditions, interval=False)
        return Cell(text, _text(change, metric, False) if change is not None else None, lacking=lacking)

    def versus(other: Mapping[str, Scores] | None) -> Versus | None:
        difference = paired(scores, (other or {}).get(metric.name, {}), conditions, interval=intervals)
        return _text(difference, metric, intervals, POOLED in scores) if difference is not None else None

    return Cell(text, versus(start), versus(source.against), versus(source.at_depth), lacking)


def _text(difference: Difference, metric: MetricInfo, intervals: bool, pooled: bool = False) -> Versus:
    places = metric.places(difference.mean)
    interval = ""
    if intervals and difference.low is not None and difference.high is not None:
        interval = f"[{signed(difference.low, places)}, {signed(difference.high, places)}]"
    elif intervals and pooled:
        interval = "of the whole set: no interval over images"
    elif intervals:
        interval = f"not estimable ({difference.images} {'image' if difference.images == 1 else 'images'})"
    return Versus(signed(difference.mean, places), interval, difference.verdict(metric.direction))
