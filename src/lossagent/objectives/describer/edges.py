"""Strong edges and how steep they are: sharpness.

Source: the energy of the gradient is the sharpness of Tenenbaum (1970; "Tenengrad" in Krotkov, "Focusing", IJCV 1(3),
1988). Deviations: it is taken at the edges of what an image is compared with and nowhere else, since texture and noise
have gradients too, and the energy of white noise of the measured level is taken off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from scipy import ndimage

from lossagent.objectives.describer.plane import NEAR, Plane

STRONG = 6.0
"""Grey levels a pixel: the least gradient of an edge. Noise of 5 grey levels has one of 1.2 after the blur."""
STRONGEST = 0.10
"""At most this share of the pixels counts as strong: in a textured image only its strongest edges do."""
LASTING = 0.4
"""Share of the gradient that the sigma-1.6 copy must still have: a step keeps 0.6 and more, fine texture 0.3."""
FEWEST = 50
"""Fewer edge points say nothing of an image."""
MOST = 6000
"""More are thinned out evenly: they cost time and add nothing to a median."""
MARGIN = 3
"""Pixels left out along the border, where the repeated border pixel stands for what is not there."""


@dataclass(frozen=True, eq=False)
class Edges:
    """Points on strong edges, one pixel thin, and the direction of the gradient at each.

    Attributes:
        row, column: their places.
        down, across: the unit gradient, towards the brighter side.
        strong: every pixel with a strong gradient, also those beside the ridge.
    """

    row: Int64[ndarray, "points"]
    column: Int64[ndarray, "points"]
    down: Float64[ndarray, "points"]
    across: Float64[ndarray, "points"]
    strong: Bool[ndarray, "height width"]


def find_edges(of: Plane) -> Edges:
    """Where the gradient of the sigma-0.8 copy is strong, lasts in the sigma-1.6 copy, and is largest along its way."""
    down, across = _gradient(of.near)
    power = down * down + across * across
    floor = max(STRONG**2, float(np.quantile(power[::2, ::2], 1 - STRONGEST)))
    strong = (power >= floor) & (_power(of.far) >= LASTING**2 * power)
    inner = np.zeros_like(strong)
    inner[MARGIN:-MARGIN, MARGIN:-MARGIN] = strong[MARGIN:-MARGIN, MARGIN:-MARGIN]
    row, column = np.nonzero(inner)
    here = power[row, column]
    length = np.sqrt(here)
    down, across = down[row, column] / length, across[row, column] / length
    step_down, step_across = np.rint(down).astype(np.int64), np.rint(across).astype(np.int64)
    ridge = (here >= power[row + step_down, column + step_across]) & (
        here > power[row - step_down, column - step_across]
    )
    kept = np.flatnonzero(ridge)
    kept = kept[:: max(1, math.ceil(len(kept) / MOST))]
    return Edges(row[kept], column[kept], down[kept], across[kept], strong)


def steepness(of: Plane, edges: Edges, noise: float) -> float | None:
    """Gradient along edges in grey levels a pixel, >= 0; smaller is softer. A change of contrast counts as well.

    The root of the mean of |gradient|^2 of the sigma-0.8 copy over the points and the 8 pixels around each (an edge
    that moved by a pixel is still found), less the share of white noise of deviation ``noise``. ``None`` for fewer
    than 50 points.

    Args:
        of: the image that is measured.
        edges: where; those of the image it is compared with, so that both are measured at the same places.
        noise: grey levels.
    """
    if len(edges.row) < FEWEST:
        return None
    power = _power(of.near)
    total = 0.0
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            total += float(power[edges.row + i, edges.column + j].mean())
    return math.sqrt(max(0.0, total / 9 - _gain() * noise**2))


@cache
def _gain() -> float:
    """Mean |gradient|^2 that white noise of variance 1 has in the sigma-0.8 copy."""
    point = np.zeros((33, 33))
    point[16, 16] = 1.0
    down, across = _gradient(ndimage.gaussian_filter(point, NEAR))
    return float(np.square(down).sum() + np.square(across).sum())


def _power(levels: Float64[ndarray, "height width"]) -> Float64[ndarray, "height width"]:
    down, across = _gradient(levels)
    return down * down + across * across


def _gradient(
    levels: Float64[ndarray, "height width"],
) -> tuple[Float64[ndarray, "height width"], Float64[ndarray, "height width"]]:
    down, across = np.zeros_like(levels), np.zeros_like(levels)
    down[1:-1] = (levels[2:] - levels[:-2]) / 2
    across[:, 1:-1] = (levels[:, 2:] - levels[:, :-2]) / 2
    return down, across
