"""The headline tables: scores of the start, the fixed run and each agent, one table for each image set."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lossagent.report.naming import MetricInfo, fixed_run, is_fixed
from lossagent.report.numbers import Difference, Scores, infinite, mean, paired, plain, signed
from lossagent.report.palette import RunStyle
from lossagent.report.reading import EvaluatedRow, EvaluatedSet, RunData
from lossagent.report.timeline import timeline

PURPOSES = {
    "feedback": "the agent saw these",
    "selection": "chose the checkpoint",
}
OTHER_PURPOSE = "never used for a choice"
UNSHARED = ", without shared photographs"
GROUND_TRUTH = "ground truth"
CONTROL = "correlated-noise control"
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
    """A mean score and its differences: to the start, to the fixed run at the same budget and at the same depth."""

    value: str
    start: Versus | None = None
    fixed: Versus | None = None
    depth: Versus | None = None


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
class SetTable:
    """Scores on one image set."""

    name: str
    purpose: str
    images: int
    metrics: tuple[MetricInfo, ...]
    rows: tuple[Row, ...]
    interval: bool


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


def by_purpose(name: str) -> tuple[int, str]:
    """Sort key of sets: those never used for a choice first, the one that the agent saw last."""
    return {"feedback": 2, "selection": 1}.get(name.removesuffix(UNSHARED), 0), name


def sets_of(run: RunData) -> dict[str, EvaluatedSet]:
    """The evaluated sets of a run; without an evaluation, the feedback scores it recorded itself."""
    if run.evaluation is not None and run.evaluation.sets:
        return _with_and_without(run.evaluation.sets)
    rows = {
        label: EvaluatedRow(state=s.id, depth=s.depth, scores=s.feedback.scores)
        for label, s in (("start", run.trajectory.start), ("selected", run.selected), ("last", run.last))
        if s.feedback is not None
    }
    if not rows:
        return {}
    images = dict.fromkeys(i for row in rows.values() for scores in row.scores.values() for i in scores)
    return {"feedback": EvaluatedSet(images=tuple(images), rows=rows)}


def _with_and_without(sets: Mapping[str, EvaluatedSet]) -> dict[str, EvaluatedSet]:
    """Every set, and beside a set that shares photographs with another one the set without them."""
    result: dict[str, EvaluatedSet] = {}
    for name, one in sets.items():
        result[name] = one
        if one.also_in and set(one.images) - one.also_in.keys():
            rows = {label: _without(row, one.also_in) for label, row in one.rows.items()}
            images = tuple(i for i in one.images if i not in one.also_in)
            result[name + UNSHARED] = EvaluatedSet(images=images, metrics=one.metrics, rows=rows)
    return result


def _without(row: EvaluatedRow, images: Container[str]) -> EvaluatedRow:
    scores = {m: {i: v for i, v in s.items() if i not in images} for m, s in row.scores.items()}
    return row.model_copy(update={"scores": scores})


def row_at_depth(run: RunData, set_name: str, depth: int) -> EvaluatedRow | None:
    """Scores of a run's state at a depth on its main path, if they were taken on that set."""
    one = sets_of(run).get(set_name)
    if one is None:
        return None
    for label, row in one.rows.items():
        if row.depth == depth and label not in (GROUND_TRUTH, CONTROL):
            return row
    if set_name == "feedback":
        for state in run.trajectory.path(run.last.id):
            if state.depth == depth and state.feedback is not None:
                return EvaluatedRow(state=state.id, depth=depth, scores=state.feedback.scores)
    return None


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
    rows = tuple(
        Row(
            s.label,
            s.note,
            s.colour,
            s.kind,
            tuple(_cell(s, m, start, intervals) for m in shown),
            s.reported,
        )
        for s in sources
    )
    images = max((len(s.scores.get(m.name, {})) for s in sources for m in shown), default=0)
    return SetTable(name, PURPOSES.get(name.removesuffix(UNSHARED), OTHER_PURPOSE), images, shown, rows, intervals)


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
    spent = timeline(run).end.get(state.id, reached)
    cost = f"{reached:,} iterations"
    if spent != reached:
        cost += f" of {spent:,} spent"
    return f"S{state.id}, depth {state.depth}, {cost}"


def _cell(source: _Source, metric: MetricInfo, start: Mapping[str, Scores] | None, intervals: bool) -> Cell:
    scores = source.scores.get(metric.name, {})
    value = mean(scores)
    if value is None:
        return Cell("∞" if infinite(scores) else "n/a")
    text = plain(value, metric.places(value))
    if source.kind not in ("fixed", "agent", "control") or start is None:
        return Cell(text)
    if source.kind == "control":  # what noise does is shown, and judged in no table
        change = paired(scores, start.get(metric.name, {}), interval=False)
        return Cell(text, _text(change, metric, False) if change is not None else None)

    def versus(other: Mapping[str, Scores] | None) -> Versus | None:
        difference = paired(scores, (other or {}).get(metric.name, {}), interval=intervals)
        return _text(difference, metric, intervals) if difference is not None else None

    return Cell(text, versus(start), versus(source.against), versus(source.at_depth))


def _text(difference: Difference, metric: MetricInfo, intervals: bool) -> Versus:
    places = metric.places(difference.mean)
    interval = ""
    if intervals and difference.low is not None and difference.high is not None:
        interval = f"[{signed(difference.low, places)}, {signed(difference.high, places)}]"
    elif intervals:
        interval = f"not estimable ({difference.images} {'image' if difference.images == 1 else 'images'})"
    return Versus(signed(difference.mean, places), interval, difference.verdict(metric.direction))
