"""Which of several states no other one beats in everything."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lossagent.errors import Refused
from lossagent.feedback import Direction


def front(points: Sequence[Sequence[float | None]], directions: Sequence[Direction]) -> tuple[bool, ...]:
    """Whether each point is on the Pareto front: none is at least as good in every coordinate and better in one.

    Equal points are on it together. A point with a coordinate that is missing or not finite is not, and beats none.

    Args:
        points: one row a point, one score a column.
        directions: which way is better, one a column.

    Raises:
        Refused: a row of another length.
    """
    for place, point in enumerate(points):
        if len(point) != len(directions):
            raise Refused(f"points must have {len(directions)} coordinates; point {place} has {len(point)}.")
    whole = [i for i, p in enumerate(points) if all(x is not None and math.isfinite(x) for x in p)]
    if not whole or not directions:
        return tuple(i in set(whole) for i in range(len(points)))
    signs = np.array([1.0 if d == "higher" else -1.0 for d in directions])
    scores = np.array([[x for x in points[i] if x is not None] for i in whole], dtype=np.float64) * signs
    found = {i for i, own in zip(whole, scores, strict=True) if not _beaten(own, scores)}
    return tuple(i in found for i in range(len(points)))


def _beaten(own: np.ndarray, scores: np.ndarray) -> bool:
    return bool(((scores >= own).all(axis=1) & (scores > own).any(axis=1)).any())
