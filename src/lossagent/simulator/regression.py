"""Ridge regression with penalties by group, cross-validated over whole runs.

Source: Hoerl, Kennard, "Ridge regression" (1970); Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning"
(2nd ed.), 3.4.1 and 7.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossagent.simulator.transitions import Array

FOLDS = 10
PENALTIES = (0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)
"""Tried for linear columns, in observations: so many stages without an effect are imagined."""
RATIOS = (1.0, 10.0)
"""Tried penalties of quadratic columns over those of linear ones."""
HISTORY_PENALTY = 1.0


@dataclass(frozen=True)
class Design:
    """The columns of a regression.

    Attributes:
        columns: (n, k); the first one is 1.
        group: (k,) 0 for columns of the history, 1 for linear and 2 for quadratic columns of the weights.
        limits: column -> (lowest, highest) coefficient.
    """

    columns: Array
    group: NDArray[np.int64]
    limits: dict[int, tuple[float, float]]


@dataclass(frozen=True)
class Fitted:
    """A regression.

    Attributes:
        coefficients: (k,).
        residuals: (n,) of each row, predicted by a fit without its run.
        penalty, ratio: chosen ones.
    """

    coefficients: Array
    residuals: Array
    penalty: float
    ratio: float


def cross_validated(design: Design, target: Array, groups: NDArray[np.int64]) -> Fitted:
    """The ridge regression whose penalties predict runs that it has not seen best.

    Args:
        design: the columns.
        target: (n,), finite.
        groups: (n,) the run of each row; folds are of whole runs.
    """
    folds = _folds(groups)
    without = [_prepared(_rows(design, ~held), target[~held]) for held in folds]
    best: tuple[float, float, float, Array] | None = None
    for penalty in PENALTIES:
        for ratio in RATIOS:
            residuals = np.empty_like(target)
            for held, sums in zip(folds, without, strict=True):
                residuals[held] = target[held] - design.columns[held] @ _limited(sums, design, penalty, ratio)
            error = float(np.sum(residuals**2))
            if best is None or error < best[0]:
                best = (error, penalty, ratio, residuals)
    assert best is not None
    _, penalty, ratio, residuals = best
    return Fitted(ridge(design, target, penalty, ratio), residuals, penalty, ratio)


def ridge(design: Design, target: Array, penalty: float, ratio: float) -> Array:
    """Coefficients (k,) under given penalties, held to their limits."""
    return _limited(_prepared(design, target), design, penalty, ratio)


@dataclass(frozen=True)
class _Sums:
    """All that a ridge regression needs of its rows, on standardised columns (k - 1 of them, without the first)."""

    gram: Array
    moment: Array
    centre: Array
    spread: Array
    mean: float


def _prepared(design: Design, target: Array) -> _Sums:
    columns = design.columns[:, 1:]
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    # A column that does not vary has no influence.
    z = np.where(spread > 1e-12, (columns - centre) / np.where(spread > 1e-12, spread, 1.0), 0.0)
    mean = float(target.mean())
    return _Sums(z.T @ z, z.T @ (target - mean), centre, spread, mean)


def _limited(sums: _Sums, design: Design, penalty: float, ratio: float) -> Array:
    sizes = np.array([HISTORY_PENALTY, penalty, penalty * ratio])[design.group[1:]]
    held: dict[int, float] = {}
    coefficients = _solved(sums, sizes, held)
    for column, (low, high) in design.limits.items():
        if not low <= coefficients[column] <= high:
            held[column] = float(np.clip(coefficients[column], low, high))
            coefficients = _solved(sums, sizes, held)
    return coefficients


def _solved(sums: _Sums, sizes: Array, held: dict[int, float]) -> Array:
    """Coefficients (k,) on the columns as they were; ``held`` ones are given."""
    if not held:
        free = np.linalg.solve(sums.gram + np.diag(sizes), sums.moment)
        return _unstandardised(sums, free.astype(np.float64))
    b = np.zeros(len(sizes))
    fixed = np.array(sorted(held), dtype=np.int64) - 1
    b[fixed] = [held[i + 1] * sums.spread[i] for i in fixed]
    free = np.setdiff1d(np.arange(len(sizes)), fixed)
    rest = sums.moment[free] - sums.gram[np.ix_(free, fixed)] @ b[fixed]
    b[free] = np.linalg.solve(sums.gram[np.ix_(free, free)] + np.diag(sizes[free]), rest)
    return _unstandardised(sums, b)


def _unstandardised(sums: _Sums, b: Array) -> Array:
    slopes = np.where(sums.spread > 1e-12, b / np.where(sums.spread > 1e-12, sums.spread, 1.0), 0.0)
    return np.concatenate([[sums.mean - float(sums.centre @ slopes)], slopes])


def _rows(design: Design, kept: NDArray[np.bool_]) -> Design:
    return Design(design.columns[kept], design.group, design.limits)


def _folds(groups: NDArray[np.int64]) -> Sequence[NDArray[np.bool_]]:
    """Masks of rows, each of some whole groups; at least two."""
    names = np.unique(groups)
    count = min(FOLDS, len(names))
    return [np.isin(groups, names[i::count]) for i in range(count)]
