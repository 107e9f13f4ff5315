"""Strong edges and how wide they are: sharpness.

Source: Zhuo, Sim, "Defocus map estimation from a single image", Pattern Recognition 44(9), 2011: an edge is blurred
once more, and the ratio of the gradients before and after tells how wide it was. Here two known Gaussians stand for
the image and the image blurred again, which makes the ratio less sensitive to noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from lossagent.objectives.describer.plane import FAR, NEAR, Plane

STRONG = 6.0
"""Grey levels a pixel: the least gradient of an edge. Noise of 5 grey levels has one of 1.2 after the blur."""
STRONGEST = 0.10
"""At most this share of the pixels counts as strong: in a textured image only its strongest edges do."""
FEWEST = 50
"""Fewer edge points say nothing of an image."""
MOST = 6000
"""More are thinned out evenly: they cost time and add nothing to a median."""
MARGIN = 3
"""Pixels left out along the border, where the repeated border pixel stands for what is not there."""
APERTURE = 1 / 12
"""Variance in px^2 of a pixel's own square: no edge is narrower."""
RISE = 2.563
"""Sigmas from 10 % to 90 % of a Gaussian edge."""
DIFFERENCE = 1 / 3
"""Variance in px^2 that the central difference (a box of 2 px) adds to a blur."""


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
    """Where the gradient of the sigma-0.8 copy is strong and largest along its own direction."""
    down, across = _gradient(of.near)
    power = down * down + across * across
    floor = max(STRONG**2, float(np.quantile(power[::2, ::2], 1 - STRONGEST)))
    strong = power >= floor
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


def edge_width(of: Plane, edges: Edges) -> float | None:
    """Median 10-90 % width of edges, in pixels; larger is softer.

    A step under a Gaussian of variance v has, after two further blurs of variances a < b, gradients whose squares
    stand as R = (v + b) / (v + a), so v = (b - R a) / (R - 1). R is the median over the edge points; the gradient at
    a point is the largest within one pixel of it, so that an edge that moved a little is still found. The width is
    2.563 sqrt(v), at least 0.74 px (a perfect step, integrated over pixels). ``None`` for fewer than 50 points.

    Args:
        of: the image that is measured.
        edges: where; those of the image it is compared with, so that both are measured at the same places.
    """
    if len(edges.row) < FEWEST:
        return None
    near, far = (_largest(blurred, edges) for blurred in (of.near, of.far))
    seen = near > 0
    if not seen.any():
        return None
    ratio = float(np.median(near[seen] / np.maximum(far[seen], 1e-9)))
    a, b = NEAR**2 + DIFFERENCE, FAR**2 + DIFFERENCE
    # An edge wider than the image's structures has a ratio of 1: 64 px^2 (20 px wide) is what the ratio can tell.
    ratio = max(ratio, (64 + b) / (64 + a))
    return RISE * math.sqrt(max((b - ratio * a) / (ratio - 1), APERTURE))


def _gradient(
    levels: Float64[ndarray, "height width"],
) -> tuple[Float64[ndarray, "height width"], Float64[ndarray, "height width"]]:
    down, across = np.zeros_like(levels), np.zeros_like(levels)
    down[1:-1] = (levels[2:] - levels[:-2]) / 2
    across[:, 1:-1] = (levels[:, 2:] - levels[:, :-2]) / 2
    return down, across


def _largest(levels: Float64[ndarray, "height width"], edges: Edges) -> Float64[ndarray, "points"]:
    """The largest squared gradient within one pixel of each point."""
    down, across = _gradient(levels)
    power = down * down + across * across
    best = np.zeros(len(edges.row))
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            np.maximum(best, power[edges.row + i, edges.column + j], out=best)
    return best
