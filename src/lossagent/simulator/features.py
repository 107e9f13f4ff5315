"""Weights and histories as the columns of a linear model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lossagent.records import Record
from lossagent.simulator.transitions import OFF, Array, Transitions

MARGIN = float(np.log(2.0))
"""How far beyond the recorded log-ratios the response goes on; further out it is flat."""
HISTORY = ("intercept", "first", "late", "gap", "previous")
"""The columns beside those of the weights: 1; whether it is the first stage; log(depth); score less that of S_0; the
change that led to the parent."""


class Scale(Record):
    """How log-ratios become comparable columns.

    Attributes:
        low, high: (p,) smallest and largest recorded log-ratio of losses that are on.
        centre, spread: (p,) mean and standard deviation; a loss whose weight was never moved has spread 0 and no
            influence.
        depth: the largest depth recorded; drift is that of this depth further on.
        off: (p,) whether stages were recorded in which the loss was off; ``()`` for none.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    depth: int
    off: tuple[bool, ...] = ()

    def inside(self, x: Array) -> Array:
        """(n, p) log-ratios, cut to the range in which the model says something; a loss that is off is its floor."""
        low, high = np.array(self.low), np.array(self.high)
        found = np.where(np.isneginf(x), low - OFF, np.clip(x, low - MARGIN, high + MARGIN))
        return (found - np.array(self.centre)) / np.where(np.array(self.spread) > 0, self.spread, np.inf)

    def outside(self, x: Array) -> NDArray[np.bool_]:
        """(n,) whether log-ratios lie where nothing was recorded."""
        known = np.isneginf(x) & np.array(self.off or [False] * len(self.low))
        far = (x < np.array(self.low) - MARGIN) & ~known | (x > np.array(self.high) + MARGIN)
        return np.any(far & (np.array(self.spread) > 0), axis=-1)


def scale_of(data: Transitions) -> Scale:
    """The scale of recorded stages."""
    p = len(data.space.names)
    on = np.where(np.isneginf(data.x), np.nan, data.x)
    seen = [column[~np.isnan(column)] for column in on.T]
    low = [float(c.min()) if len(c) else 0.0 for c in seen]
    high = [float(c.max()) if len(c) else 0.0 for c in seen]
    x = np.where(np.isneginf(data.x), np.array(low).reshape(1, p) - OFF, data.x)
    spread = x.std(axis=0)
    return Scale(
        low=tuple(low),
        high=tuple(high),
        centre=tuple(float(v) for v in x.mean(axis=0)),
        spread=tuple(float(v) if v > 1e-9 else 0.0 for v in spread),
        depth=int(data.depth.max()),
        off=tuple(bool(column.any()) for column in np.isneginf(data.x).T),
    )


def weight_columns(scale: Scale, x: Array) -> tuple[Array, Array]:
    """(n, p) log-ratios -> (n, p) linear and (n, p (p + 1) / 2) quadratic columns."""
    z = scale.inside(x)
    first, second = np.triu_indices(z.shape[1])
    return z, z[:, first] * z[:, second]


def history_columns(scale: Scale, depth: NDArray[np.int64], gap: Array, previous: Array) -> Array:
    """(n,) each -> (n, 5), in the order of :data:`HISTORY`."""
    at = np.minimum(depth, scale.depth)
    return np.column_stack([np.ones(len(depth)), at == 1, np.log(at), gap, previous]).astype(np.float64)
