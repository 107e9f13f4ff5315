"""Weights spread over the bounds around the initial ones."""

from __future__ import annotations

import math

from scipy.stats import qmc

from lossagent.agents.anchor import movable
from lossagent.errors import Refused
from lossagent.weights import Bounds, Weights

RANGE = 16.0
"""Largest factor around an initial weight."""


def spread_settings(initial: Weights, bounds: Bounds, count: int) -> tuple[Weights, ...]:
    """The initial weights and ``count - 1`` others, spread evenly in log-ratios by the Halton sequence: always those.

    Source: Halton, "On the efficiency of certain quasi-random sequences of points" (1960).

    Args:
        initial: weights of the first stage.
        bounds: each weight stays in its box, and within a factor of 16 of the initial one; the trust region, which is
            for moves from stage to stage, has no say.
        count: how many, >= 3.

    Raises:
        Refused: fewer than 3, or no weight that can move.
    """
    if count < 3:
        raise Refused(f"settings must be at least 3, the initial weights among them; found {count}.")
    ends = {n: _ends(n, initial, bounds) for n in movable(initial, bounds) if n not in initial.off}
    ranges = {name: (low, high) for name, (low, high) in ends.items() if low < high}
    if not ranges:
        raise Refused(
            "there is nothing to steer: no weight can move against the others. A probe needs two losses that are on, "
            "one of which is neither frozen nor held by its bounds."
        )
    points = qmc.Halton(d=len(ranges), scramble=False).random(count)[1:]  # the first one is a corner
    found = [initial]
    for point in points:
        moved = {
            name: min(max(float(f"{low * math.exp(float(u) * math.log(high / low)):.4g}"), low), high)
            for u, (name, (low, high)) in zip(point, ranges.items(), strict=True)
        }
        found.append(Weights(magnitudes={**initial.magnitudes, **moved}, off=initial.off))
    return tuple(found)


def _ends(name: str, initial: Weights, bounds: Bounds) -> tuple[float, float]:
    """Lowest and highest weight of a loss that a probe tries."""
    weight, (low, high) = initial.magnitudes[name], bounds.box(name)
    return max(low, weight / RANGE), min(high, weight * RANGE)
