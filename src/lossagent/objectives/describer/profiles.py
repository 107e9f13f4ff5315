"""The mean profile of edges: how wide they are, and ringing, which is how far they overshoot their two sides.

Sources: the mean profile is the edge spread function of ISO 12233, its 10-90 % rise the usual width. Overshoot beside
edges as the mark of ringing: Marziliano, Dufaux, Winkler, Ebrahimi, "Perceptual blur and ringing metrics: application
to JPEG2000", Signal Processing: Image Communication 19(2), 2004. Deviation: profiles are averaged before anything is
measured, so that noise and texture beside edges, which have no fixed place, cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import special

from lossagent.objectives.describer.edges import Edges
from lossagent.objectives.describer.plane import Plane

REACH = 8
"""Pixels that a profile reaches to either side."""
BESIDE, PLATEAU = slice(1, 5), slice(4, 8)
"""Distances 2 to 5 px, where the first overshoot stands, and 5 to 8 px, the level it is measured from."""
HEIGHT = 20.0
"""Grey levels between the two sides: lower steps are lost in texture."""
UNEVEN = 0.15
"""Share of the height by which a side may vary: else the edge is one of several, and its sides no plateaus."""
START = 3
"""The rise is looked for from 3 px before the edge on: an edge that moved a little is still found."""
FEWEST = 25
"""Fewer clean edges give no mean profile."""
CAP = 3000
"""More edge points than these are thinned out evenly, for speed."""


def clean_edges(of: Plane, edges: Edges) -> Edges | None:
    """Edges with an even area on both sides, 4 to 8 px away; ``None`` if there are too few."""
    height, width = of.luma.shape
    row, column = edges.row, edges.column
    inside = np.flatnonzero(
        (np.minimum(row, height - 1 - row) > REACH + 1) & (np.minimum(column, width - 1 - column) > REACH + 1)
    )
    inside = inside[:: max(1, -(-len(inside) // CAP))]
    edges = _only(edges, inside)
    if len(edges.row) < FEWEST:
        return None
    lines = _profiles(of.near, edges)
    dark, bright = lines[:, : REACH - 3], lines[:, REACH + 4 :]
    rise = bright.mean(axis=1) - dark.mean(axis=1)
    even = np.maximum(np.ptp(dark, axis=1), np.ptp(bright, axis=1)) <= UNEVEN * rise
    kept = np.flatnonzero(even & (rise >= HEIGHT))
    return _only(edges, kept) if len(kept) >= FEWEST else None


@dataclass(frozen=True)
class Profile:
    """The mean profile of clean edges.

    Attributes:
        width: pixels from 10 % to 90 % of the rise, about 0.8 (a perfect step) to 8; larger is softer. Edges of all
            places between pixels make it up to 0.3 px wider, in both images alike.
        halo: overshoot as a share of the rise, 0 (none) upwards; 0.09 for an ideal low-pass (Gibbs), as
            far as pixels meet its peak: 0.06 to 0.12.
    """

    width: float
    halo: float


def profile(of: Plane, edges: Edges | None) -> Profile | None:
    """Width and overshoot of the mean profile; ``None`` without clean edges or where no edge is left.

    Values are taken along the gradient from the dark to the bright side and averaged over edges. The two sides are
    the means 5 to 8 px away. Overshoot: on the bright side the largest value 2 to 5 px away less that mean, on the
    dark side the reverse, each at least 0; half their sum, divided by the height between the means.

    Args:
        of: the image that is measured.
        edges: clean edges of the image it is compared with.
    """
    if edges is None:
        return None
    mean = _profiles(of.luma, edges).mean(axis=0)
    dark, bright = mean[:REACH][::-1], mean[REACH + 1 :]
    low, high = float(dark[PLATEAU].mean()), float(bright[PLATEAU].mean())
    if high - low < HEIGHT / 2:
        return None
    over = max(0.0, float(bright[BESIDE].max()) - high)
    under = max(0.0, low - float(dark[BESIDE].min()))
    rise = (mean - low) / (high - low)
    bright_end, dark_end = rise[REACH - START :], 1 - rise[: REACH + START + 1][::-1]
    width = _crossing(bright_end, 0.9) + _crossing(dark_end, 0.9) - 2 * START
    return Profile(width, (over + under) / 2 / (high - low))


def _only(edges: Edges, kept: ndarray) -> Edges:
    return Edges(edges.row[kept], edges.column[kept], edges.down[kept], edges.across[kept], edges.strong)


def _crossing(values: Float64[ndarray, "samples"], level: float) -> float:
    """Where values first reach a level; the last place if they do not.

    Between samples by linear interpolation on the probit scale, on which a Gaussian edge is a straight line.
    """
    above = np.flatnonzero(values >= level)
    if len(above) == 0:
        return float(len(values) - 1)
    first = int(above[0])
    if first == 0:
        return 0.0
    before, after, wanted = special.ndtri(np.clip([values[first - 1], values[first], level], 0.001, 0.999)).tolist()
    return first - 1 + (wanted - before) / (after - before)


def _profiles(levels: Float64[ndarray, "height width"], edges: Edges) -> Float64[ndarray, "points samples"]:
    """Values along the gradient, one pixel apart, between pixels by bilinear interpolation."""
    steps = np.arange(-REACH, REACH + 1)
    rows = edges.row[:, None] + edges.down[:, None] * steps
    columns = edges.column[:, None] + edges.across[:, None] * steps
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    below, right = rows - top, columns - left
    flat, width = levels.ravel(), levels.shape[1]
    corner = top * width + left
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[corner + width] * (1 - right) + flat[corner + width + 1] * right
    return upper * (1 - below) + lower * below
