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
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
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
    best: tuple[float, float, float, Array] | None = None
    for penalty in PENALTIES:
        for ratio in RATIOS:
            residuals = np.empty_like(target)
            for held in folds:
                fitted = ridge(_rows(design, ~held), target[~held], penalty, ratio)
                residuals[held] = target[held] - design.columns[held] @ fitted
            error = float(np.sum(residuals**2))
            if best is None or error < best[0]:
                best = (error, penalty, ratio, residuals)
    assert best is not None
    _, penalty, ratio, residuals = best
    return Fitted(ridge(design, target, penalty, ratio), residuals, penalty, ratio)


def ridge(design: Design, target: Array, penalty: float, ratio: float) -> Array:
    """Coefficients (k,) under given penalties, held to their limits."""
    coefficients = _solved(design, target, penalty, ratio, {})
    held: dict[int, float] = {}
    for column, (low, high) in design.limits.items():
        if not low <= coefficients[column] <= high:
            held[column] = float(np.clip(coefficients[column], low, high))
            coefficients = _solved(design, target, penalty, ratio, held)
    return coefficients


def _solved(design: Design, target: Array, penalty: float, ratio: float, held: dict[int, float]) -> Array:
    """Least squares with penalties on standardised columns; ``held`` coefficients are given."""
    free = np.array([i for i in range(1, design.columns.shape[1]) if i not in held], dtype=np.int64)
    result = np.zeros(design.columns.shape[1])
    for column, value in held.items():
        result[column] = value
    rest = target - design.columns @ result
    columns = design.columns[:, free]
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    moving = spread > 1e-12
    free, centre, spread = free[moving], centre[moving], spread[moving]
    z = (columns[:, moving] - centre) / spread
    sizes = np.array([HISTORY_PENALTY, penalty, penalty * ratio])[design.group[free]]
    slopes = np.linalg.solve(z.T @ z + np.diag(sizes), z.T @ (rest - rest.mean())) if len(free) else np.zeros(0)
    result[free] = slopes / spread
    result[0] = rest.mean() - float(centre @ result[free])
    return result


def _rows(design: Design, kept: NDArray[np.bool_]) -> Design:
    return Design(design.columns[kept], design.group, design.limits)


def _folds(groups: NDArray[np.int64]) -> Sequence[NDArray[np.bool_]]:
    """Masks of rows, each of some whole groups; at least two."""
    names = np.unique(groups)
    count = min(FOLDS, len(names))
    return [np.isin(groups, names[i::count]) for i in range(count)]
