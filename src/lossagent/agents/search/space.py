"""Where black-box optimisers search: log-ratios to the anchor, around the weights that the search begins at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.agents.anchor import anchor_of, movable
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

EDGE = 1e-9
"""A point this far outside the space, in log-ratio, is on its edge."""


@dataclass(frozen=True)
class Space:
    """A box in the log-ratios x_m = log(w_m / w_anchor) of the losses that are on and may move.

    Attributes:
        centre: the weights that the search begins at; they say which losses are on.
        anchor: the loss that the others are measured against.
        names: the losses that are searched over, in order; a loss whose range is a single value is not among them.
        low, high: the box, for each of ``names``; ``low < high``.
    """

    centre: Weights
    anchor: str
    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def middle(self) -> tuple[float, ...]:
        """The centre's point, moved into the box where it is outside."""
        point = zip(self.point(self.centre), self.low, self.high, strict=True)
        return tuple(min(max(x, low), high) for x, low, high in point)

    def point(self, weights: Weights) -> tuple[float, ...]:
        """The log-ratios of weights, in the order of ``names``; they may lie outside the box."""
        ratios = weights.log_ratios(self.anchor)
        return tuple(ratios[name] for name in self.names)

    def inside(self, point: Sequence[float]) -> tuple[float, ...] | None:
        """The point, put on the edge where rounding left it just outside; ``None`` where it is outside indeed."""
        placed: list[float] = []
        for x, low, high in zip(point, self.low, self.high, strict=True):
            if not low - EDGE <= x <= high + EDGE:
                return None
            placed.append(min(max(x, low), high))
        return tuple(placed)

    def weights(self, point: Sequence[float], previous: Weights) -> Weights:
        """The weights of a point; the anchor and all that is not searched over stay as in ``previous``."""
        unit = previous.magnitudes[self.anchor]
        moved = {name: unit * math.exp(x) for name, x in zip(self.names, point, strict=True)}
        return Weights(magnitudes={**previous.magnitudes, **moved}, off=previous.off)


def space_of(trajectory: Trajectory, previous: Weights, bounds: Bounds, factor: float) -> Space:
    """The search space of a run; it is the same at each decision while the same losses are on.

    Args:
        trajectory: the first weights in it that have the same losses on as ``previous`` are the centre.
        previous: the weights of the state that the next stage starts from.
        bounds: the box of each loss; the trust region is not part of the space, it moves.
        factor: largest factor between a weight and the centre's, > 1.
    """
    known = (trajectory.initial, *(s.weights for s in trajectory.states if s.weights is not None))
    centre = next((w for w in known if w.off == previous.off), previous)
    anchor = anchor_of(centre, bounds)
    unit = centre.magnitudes[anchor]
    names: list[str] = []
    lows: list[float] = []
    highs: list[float] = []
    for name in movable(centre, bounds):
        if name in centre.off:
            continue
        before = centre.magnitudes[name]
        low, high = bounds.box(name)
        low, high = max(low, before / factor), min(high, before * factor)
        if high > low * (1 + EDGE):
            names.append(name)
            lows.append(math.log(low / unit))
            highs.append(math.log(high / unit))
    return Space(centre, anchor, tuple(names), tuple(lows), tuple(highs))
