"""What a response leaves open: the luck of training, shared between scores and between runs on the same data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lossagent.simulator.transitions import Array

SHRINK = 0.1
"""Correlations are shrunk towards 0 by this share: there are about as many of them as stages."""


def spread_and_correlation(residuals: Array) -> tuple[Array, Array]:
    """Standard deviations (c,) and correlations (c, c), positive definite, of residuals (n, c) with gaps (NaN)."""
    c = residuals.shape[1]
    known = ~np.isnan(residuals)
    spread = np.array([_rms(residuals[known[:, i], i]) for i in range(c)])
    z = np.where(known, residuals, 0.0) / np.where(spread > 0, spread, 1.0)
    pairs = known.T.astype(np.float64) @ known
    correlation = (z.T @ z) / np.maximum(pairs, 1.0) * (1 - SHRINK)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    mended = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    scale = np.sqrt(np.diag(mended))
    return spread, mended / np.outer(scale, scale)


def shared_part(residuals: Array, spread: Array, window: NDArray[np.int64]) -> tuple[float, int]:
    """The share of the variance that stages on the same data have in common, in [0, 0.95], and by how many pairs.

    The mean product of standardised residuals over pairs of stages of one window: an intraclass correlation.

    Args:
        residuals: (n, c), NaN where unknown.
        spread: (c,) their standard deviations.
        window: (n,) the same number for stages on the same data.
    """
    z = residuals / np.where(spread > 0, spread, np.inf)
    total, pairs = 0.0, 0
    for name in np.unique(window):
        rows = z[window == name]
        known = ~np.isnan(rows)
        rows = np.where(known, rows, 0.0)
        counts = known.sum(axis=0)
        total += float((rows.sum(axis=0) ** 2 - (rows**2).sum(axis=0)).sum())
        pairs += int((counts * (counts - 1)).sum())
    return (float(np.clip(total / pairs, 0.0, 0.95)) if pairs else 0.0), pairs // 2


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
