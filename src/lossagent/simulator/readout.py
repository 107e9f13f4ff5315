"""Scores on test sets, which are recorded for few states of a run: read off the other sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lossagent.feedback import Feedback
from lossagent.records import Record
from lossagent.simulator.noise_model import spread_and_correlation
from lossagent.simulator.transitions import Array
from lossagent.study.outcome import Outcome

IMAGINED = 2.0
"""The prior of a coefficient, in observations: a test score changes as the selection (else feedback) score does."""
STATES = ("selected", "last")
"""Rows of a test set that are states with weights behind them."""


class Readout(Record):
    """A metric's mean on a test set.

    change from S_0 = on_selection x its change on the selection set + on_feedback x its change on the feedback set
    + noise, which a state has once for all.

    Attributes:
        set, metric: which.
        start: S_0's.
        on_selection, on_feedback: coefficients.
        spread: standard deviation of the noise.
    """

    set: str
    metric: str
    start: float
    on_selection: float
    on_feedback: float
    spread: float


class Readouts(Record):
    """Every test score.

    Attributes:
        readouts: in the order of the correlations.
        correlation: of their noise.
        constant: test set -> row that no training changes (ground truth, control) -> metric -> mean.
    """

    readouts: tuple[Readout, ...]
    correlation: tuple[tuple[float, ...], ...]
    constant: dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class _Change:
    """Changes from S_0 on the three sets."""

    test: float
    selection: float
    feedback: float


def readouts_of(outcomes: Sequence[Outcome]) -> Readouts:
    """Fitted to the states whose test scores are recorded: the selected and the last one of each run."""
    columns = dict.fromkeys((s, m) for o in outcomes for s in o.tests for m in _start(o, s).scores)
    readouts: list[Readout] = []
    residuals: list[list[float]] = []
    for name, metric in columns:
        changes = [_change(o, row, name, metric) for o in outcomes for row in STATES if _counts(o, row)]
        starts = [v for o in outcomes if name in o.tests and (v := _start(o, name).mean(metric)) is not None]
        known = [c for c in changes if c is not None]
        if not known or not starts:
            continue
        a, b, left = _fit(known)
        rest = iter(left)
        residuals.append([math.nan if c is None else next(rest) for c in changes])
        spread = float(np.sqrt(np.mean(np.square(left))))
        readouts.append(
            Readout(
                set=name,
                metric=metric,
                start=float(np.mean(starts)),
                on_selection=a,
                on_feedback=b,
                spread=spread,
            )
        )
    table = np.array(residuals, dtype=np.float64).T if residuals else np.zeros((0, 0))
    _, correlation = spread_and_correlation(table)
    rows = tuple(tuple(map(float, row)) for row in correlation)
    return Readouts(readouts=tuple(readouts), correlation=rows, constant=_constant(outcomes))


def _start(one: Outcome, name: str) -> Feedback:
    return one.tests.get(name, {}).get("start", Feedback())


def _counts(one: Outcome, row: str) -> bool:
    """Whether a row is a state of its own: trained, and not the same as another row."""
    state = _state(one, row)
    return state != 0 and (row == "selected" or state != one.selected)


def _state(one: Outcome, row: str) -> int:
    return one.selected if row == "selected" else max(s.id for s in one.states if s.feedback is not None)


def _change(one: Outcome, row: str, name: str, metric: str) -> _Change | None:
    state = _state(one, row)
    feedback = {s.id: s.feedback for s in one.states if s.feedback is not None}
    test = _difference({1: one.tests.get(name, {}).get(row), 0: _start(one, name)}, 1, metric)
    selection, fed = _difference(one.selection, state, metric), _difference(feedback, state, metric)
    if test is None or (selection is None and fed is None):
        return None
    return _Change(test, math.nan if selection is None else selection, math.nan if fed is None else fed)


def _difference(scores: Mapping[int, Feedback | None], state: int, metric: str) -> float | None:
    """A metric's mean of a state less that of S_0."""
    found, start = scores.get(state), scores.get(0)
    now, before = (None if f is None else f.mean(metric) for f in (found, start))
    return None if now is None or before is None else now - before


def _fit(changes: Sequence[_Change]) -> tuple[float, float, Array]:
    """Coefficients on selection and feedback changes, and the residuals."""
    table = np.array([[c.selection, c.feedback, c.test] for c in changes], dtype=np.float64)
    there = ~np.any(np.isnan(table[:, :2]), axis=0)
    prior = np.array([1.0, 0.0]) if bool(there.tolist()[0]) else np.array([0.0, 1.0])
    x = np.where(there, table[:, :2], 0.0)
    size = np.mean(x**2, axis=0)
    penalty = np.diag(np.where(size > 0, IMAGINED * size, 1.0))
    slopes = np.linalg.solve(x.T @ x + penalty, x.T @ table[:, 2] + penalty @ prior)
    return float(slopes[0]), float(slopes[1]), table[:, 2] - x @ slopes


def _constant(outcomes: Sequence[Outcome]) -> dict[str, dict[str, dict[str, float]]]:
    """Means over the runs of rows that are no state of training."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for one in outcomes:
        for name, rows in one.tests.items():
            for row, feedback in rows.items():
                if row in ("start", *STATES) or row.startswith("depth "):
                    continue
                for metric, value in feedback.means().items():
                    if value is not None:
                        found.setdefault(name, {}).setdefault(row, {}).setdefault(metric, []).append(value)
    return {
        name: {row: {m: float(np.mean(v)) for m, v in metrics.items()} for row, metrics in rows.items()}
        for name, rows in found.items()
    }
