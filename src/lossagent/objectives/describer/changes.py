"""What changed since the state before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.objectives.describer.judging import VISIBLE, steeper
from lossagent.objectives.describer.seeing import Seen
from lossagent.objectives.describer.words import edges_text, percent

# Smaller than the limits of faults: both images come from one input, so most of what disturbs a measure cancels.
EDGES = 0.01
"""Relative change of the gradient at edges."""
TEXTURE = 0.03
"""Relative change of the energy of fine texture."""
NOISE = 0.2
"""Grey levels."""
RINGING = 0.01
"""Share of an edge's height."""
BLOCKING = 0.3
"""Grey levels."""
GRID = 1.15
"""Ratio of two amplitude ratios."""
COLOUR = 0.2
"""Delta E*ab by which a colour shift grew or shrank."""


@dataclass(frozen=True)
class Change:
    """From the state before to this one, both measured against the same reference or input.

    Attributes:
        edges: relative change of the gradient at edges.
        fine: energy of fine texture as a multiple of what it was.
        noise, ringing, blocking, colour: differences, in the units of :class:`Look`; colour in Delta E.
        grid: ratio of the lattice peaks.
        visible: whether any area differs by more than one grey level, or one Delta E.
    """

    edges: float | None
    fine: float | None
    noise: float | None
    ringing: float | None
    blocking: float | None
    grid: float | None
    colour: float
    visible: bool


def change(now: Seen, before: Seen, apart: float) -> Change:
    """Compares two restored images of one input.

    Args:
        now, before: both against the same reference or input.
        apart: how far the two differ, see :func:`lossagent.objectives.describer.looking.apart`.
    """
    a, b = now.image, before.image
    return Change(
        edges=steeper(a, b),
        fine=a.fine / b.fine if a.fine and b.fine else None,
        noise=_less(a.noise, b.noise),
        ringing=_less(a.halo, b.halo),
        blocking=_less(a.blocking, b.blocking),
        grid=a.lattice / b.lattice if a.lattice and b.lattice else None,
        colour=now.tint.size - before.tint.size,
        visible=apart >= VISIBLE,
    )


def mean_change(changes: Sequence[Change]) -> Change:
    """Of a set: ratios by their geometric mean, differences by their mean; visible if one of them is.

    Args:
        changes: one for each image, at least one.
    """
    return Change(
        edges=_mean([c.edges for c in changes]),
        fine=_ratio([c.fine for c in changes]),
        noise=_mean([c.noise for c in changes]),
        ringing=_mean([c.ringing for c in changes]),
        blocking=_mean([c.blocking for c in changes]),
        grid=_ratio([c.grid for c in changes]),
        colour=_mean([c.colour for c in changes]) or 0.0,
        visible=any(c.visible for c in changes),
    )


def change_text(since: Change) -> str:
    """``Since one stage ago: edges 4 % sharper, fine texture +9 %.``"""
    if not since.visible:
        return "No visible difference from one stage ago."
    said: list[str] = []
    if since.edges is not None and abs(since.edges) >= EDGES:
        said.append(f"edges {edges_text(since.edges)}")
    if since.fine is not None and abs(since.fine - 1) >= TEXTURE:
        said.append(f"fine texture {_signed(since.fine)}")
    if since.noise is not None and abs(since.noise) >= NOISE:
        said.append(f"noise {since.noise:+.1f} grey levels")
    if since.ringing is not None and abs(since.ringing) >= RINGING:
        said.append(f"overshoot {_more(since.ringing)} by {percent(abs(since.ringing))} of the edge")
    if since.blocking is not None and abs(since.blocking) >= BLOCKING:
        said.append(f"blocks {_more(since.blocking)} by {abs(since.blocking):.1f} grey levels")
    if since.grid is not None and not 1 / GRID < since.grid < GRID:
        said.append(f"a fine grid is {'stronger' if since.grid > 1 else 'weaker'} ({since.grid:.1f}-fold)")
    if abs(since.colour) >= COLOUR:
        said.append(f"colour shift {_more(since.colour)} by {abs(since.colour):.1f} dE")
    return f"Since one stage ago: {', '.join(said)}." if said else "Little has changed since one stage ago."


def _signed(ratio: float) -> str:
    if ratio >= 2:
        return f"{ratio:.1f} times as strong"
    return f"{'+' if ratio > 1 else '-'}{percent(abs(ratio - 1))}"


def _more(difference: float) -> str:
    return "larger" if difference > 0 else "smaller"


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _ratio(values: Sequence[float | None]) -> float | None:
    mean = _mean([math.log(v) for v in values if v])
    return None if mean is None else math.exp(mean)
