"""Noise, measured on the flattest parts of an image.

Sources: the kernel of Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64(2),
1996, whose response to a plane is zero; measured block by block on flat blocks only, as block-based estimators do
(Olsen, "Estimation of noise in images: an evaluation", CVGIP 55(4), 1993), since texture counts as noise in its
original form.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from lossagent.objectives.describer.plane import Plane

BLOCK = 8
"""Side of a block in pixels; also a period that every grid of 2, 4 or 8 px shares."""
FLATTEST = 0.10
"""Share of the blocks that counts as flat."""
FEWEST = 16
"""Fewer flat blocks say nothing of an image."""
CLIPPED = (6.0, 249.0)
"""Blocks whose mean lies outside lost noise to the ends of the 8-bit scale, and are left out."""


def noise_level(of: Plane) -> float | None:
    """Standard deviation of noise in grey levels; rounding to 8 bit alone gives 0.3.

    The luma is filtered by the outer product of (1, -2, 1) with itself, divided by 6 (so that white noise keeps its
    deviation), and cut into 8x8 blocks. Flat are the tenth of the blocks whose sigma-1.6 copy varies least. A pattern
    that repeats every 8 px in them is a grid and no noise: its mean is taken away. Then the median over blocks of the
    mean square. Noise whose neighbours are alike (a blurred grain) is seen in part only. ``None`` without 16 blocks
    that are not clipped.
    """
    residual = _residual(of.luma)
    blocks = _blocks(residual)
    smooth = _blocks(of.far[1:-1, 1:-1])
    mean = smooth.mean(axis=(1, 2))
    usable = np.flatnonzero((mean >= CLIPPED[0]) & (mean <= CLIPPED[1]))
    count = max(FEWEST, round(FLATTEST * len(usable)))
    if len(usable) < count:
        return None
    chosen = smooth[usable]
    activity = np.square(chosen - mean[usable, None, None]).mean(axis=(1, 2))
    flat = blocks[usable[np.argsort(activity, kind="stable")[:count]]]
    flat = flat - flat.mean(axis=0)
    power = float(np.median(np.square(flat).mean(axis=(1, 2)))) * count / (count - 1)
    return math.sqrt(power)


def _residual(levels: Float64[ndarray, "height width"]) -> Float64[ndarray, "rows columns"]:
    across = levels[:, 2:] - 2 * levels[:, 1:-1] + levels[:, :-2]
    return (across[2:] - 2 * across[1:-1] + across[:-2]) / 6


def _blocks(levels: Float64[ndarray, "height width"]) -> Float64[ndarray, "blocks 8 8"]:
    rows, columns = levels.shape[0] // BLOCK, levels.shape[1] // BLOCK
    cut = levels[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.ascontiguousarray(cut.swapaxes(1, 2)).reshape(-1, BLOCK, BLOCK)
