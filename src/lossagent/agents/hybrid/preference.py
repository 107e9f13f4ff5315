"""From answers to a preference over keeping the weights, in [-1, 1], for each candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


def strengths(odds: Mapping[tuple[int, int], float], count: int) -> tuple[float, ...]:
    """Strengths s from log-odds of pairs: the least-squares solution of odds[i, j] = s_i - s_j, summing to 0.

    With all pairs s_i is the sum of i's log-odds over the others, divided by ``count``. A candidate without a pair
    gets 0. Source: Jiang et al., "Statistical ranking and combinatorial Hodge theory", Math. Program. 127 (2011).

    Args:
        odds: (i, j) -> log-odds that i is better than j.
        count: number of candidates.
    """
    if not odds:
        return (0.0,) * count
    rows = np.zeros((len(odds), count))
    for row, (i, j) in zip(rows, odds, strict=True):
        row[i], row[j] = 1.0, -1.0
    found = np.linalg.lstsq(rows, np.array(list(odds.values())), rcond=None)[0]
    # An exact tie stays one: rounding must not decide between candidates.
    return tuple(0.0 if abs(s) < 1e-9 else float(s) for s in found)


def from_pairs(odds: Mapping[tuple[int, int], float], count: int, kept: int | None) -> tuple[float, ...]:
    """2 P - 1 = tanh((s_i - s_kept) / 2), with P the Bradley-Terry probability that i beats keeping the weights.

    Args:
        odds, count: as for :func:`strengths`.
        kept: the candidate that keeps the weights; ``None`` takes one of average strength in its place.
    """
    found = strengths(odds, count)
    base = found[kept] if kept is not None else 0.0
    return tuple(math.tanh((s - base) / 2) for s in found)


def from_choice(chosen: int, count: int, kept: int | None) -> tuple[float, ...]:
    """The same of one choice, which says nothing of the others among themselves.

    1 for the chosen one and 0 for the others; where keeping was chosen, 0 for it and -1 for the others.
    """
    if chosen == kept:
        return tuple(0.0 if i == chosen else -1.0 for i in range(count))
    return tuple(1.0 if i == chosen else 0.0 for i in range(count))
