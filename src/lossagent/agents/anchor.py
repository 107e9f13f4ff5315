"""The anchor: the loss whose weight the others are measured against."""

from __future__ import annotations

from lossagent.weights import Bounds, Weights


def anchor_of(weights: Weights, bounds: Bounds) -> str:
    """The loss that agents of ours leave alone: the first frozen one, else the first that is on.

    Adam is nearly blind to a common factor on all weights: M weights are M - 1 degrees of freedom, and an agent
    that moves all of them spends moves on nothing.
    """
    for name in weights.names:
        if name in bounds.frozen:
            return name
    return next(name for name in weights.names if name not in weights.off)


def movable(weights: Weights, bounds: Bounds) -> tuple[str, ...]:
    """The losses whose weight may move: neither frozen nor the anchor."""
    anchor = anchor_of(weights, bounds)
    return tuple(name for name in weights.names if name != anchor and name not in bounds.frozen)


def reach(name: str, before: float, factor: float, bounds: Bounds) -> tuple[float, float]:
    """(low, high) of the magnitudes within a factor of ``before``, inside the box of the loss.

    Where the two do not meet, the end of the box that is nearer stands for both.
    """
    box_low, box_high = bounds.box(name)
    if bounds.trust is not None:
        factor = min(factor, bounds.trust)
    low, high = max(box_low, before / factor), min(box_high, before * factor)
    if low <= high:
        return low, high
    return (box_high, box_high) if before > box_high else (box_low, box_low)
