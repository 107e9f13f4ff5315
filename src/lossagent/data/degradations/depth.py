"""Depth for haze: read from a map, or made up so that it follows the picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from PIL import Image
from scipy import ndimage

from lossagent.data.images import UNDECODABLE
from lossagent.errors import Refused

CELL = 4
"""Made-up depth is filtered on a grid of cells of this many pixels."""
KNOTS = 5
EPSILON = 1e-3


@lru_cache(maxsize=64)
def read_depth(path: Path) -> Float32[ndarray, "height width"]:
    """A gray map of 8 or 16 bit as depth from 0 (black, at the camera) to 1 (white, farthest).

    Raises:
        Refused: no image, or not gray.
    """
    try:
        with Image.open(path) as opened:
            mode, values = opened.mode, np.asarray(opened)
    except UNDECODABLE as error:
        raise Refused(f"{path}: cannot be read as a depth map ({error}). Replace the file.") from error
    if mode == "L":
        depth = values.astype(np.float32) / 255
    elif mode.startswith("I") and 0 <= int(values.min()) <= int(values.max()) <= 65535:
        depth = values.astype(np.float32) / 65535
    else:
        raise Refused(f"{path}: a depth map must be gray, 8 or 16 bit; found pixel type {mode}. Convert it.")
    depth.flags.writeable = False
    return depth


@dataclass(frozen=True, eq=False)
class Scene:
    """Made-up depth of one photograph: a ground plane that recedes to a horizon, and hills; 0 near to 1 far.

    Attributes:
        horizon: its height from the top, as a share of the image's; negative above the picture.
        ground: share of the ramp in the depth, the rest is hills.
        hills: values in 0..1 at knots spread evenly over the image, interpolated smoothly.
    """

    horizon: float
    ground: float
    hills: Float[ndarray, "knots knots"]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Scene:
        """A scene at random."""
        return cls(float(rng.uniform(-0.2, 0.5)), float(rng.uniform(0.4, 0.8)), rng.random((KNOTS, KNOTS)))

    def crop(
        self, image: UInt8[ndarray, "height width channels"], top: int, left: int, rows: int, columns: int
    ) -> Float32[ndarray, "{rows} {columns}"]:
        """Depth of a part of the photograph, the same as that part of the whole's but for rounding.

        The ramp and the hills are passed through a guided filter whose guide is the luminance [He et al., ECCV 2010],
        on a coarser grid [fast guided filter, He & Sun, 2015], so that depth jumps where the picture has edges.
        """
        height, width = image.shape[:2]
        radius = max(2, min(height, width, 512) // (8 * CELL))
        # A pixel needs the coefficients of the cells around it, each of which needs two windows.
        spread = 2 * radius + 2
        (y0, y1), (x0, x1) = _cells(top, rows, height, spread), _cells(left, columns, width, spread)
        guide = _luminance(image, y0, y1, x0, x1)
        vertical = (np.arange(y0, y1) + 0.5) * CELL / height
        horizontal = (np.arange(x0, x1) + 0.5) * CELL / width
        gain, offset = _guided(guide, self._plain(vertical, horizontal), radius)
        y, x = np.arange(top, top + rows), np.arange(left, left + columns)
        at = (y + 0.5) / CELL - 0.5 - y0, (x + 0.5) / CELL - 0.5 - x0
        light = _gray(image[top : top + rows, left : left + columns])
        depth = _bilinear(gain, *at) * light + _bilinear(offset, *at)
        return np.clip(depth, 0, 1).astype(np.float32)

    def _plain(
        self, vertical: Float[ndarray, "rows"], horizontal: Float[ndarray, "columns"]
    ) -> Float32[ndarray, "rows columns"]:
        """Ramp and hills at relative positions, 0 to 1 within the image."""
        # Distance on a plane grows as 1 / (height below the horizon); 1 at the horizon and in the sky.
        below = np.maximum(vertical - self.horizon, 0)
        ramp = 1 / (1 + 4 * below)
        knot = np.arange(KNOTS), KNOTS - 1
        hills = _tent(vertical, *knot) @ self.hills @ _tent(horizontal, *knot).T
        return (self.ground * ramp[:, None] + (1 - self.ground) * hills).astype(np.float32)


def _tent(at: Float[ndarray, "positions"], knots: ndarray, last: int) -> Float[ndarray, "positions knots"]:
    """Smooth interpolation weights of knots at ``knots / last``: cosine-shaped, each row sums to 1."""
    distance = np.abs(np.clip(at, 0, 1)[:, None] * last - knots)
    return np.where(distance < 1, 0.5 + 0.5 * np.cos(np.pi * distance), 0.0)


def _cells(first: int, count: int, side: int, spread: int) -> tuple[int, int]:
    """Cells that pixels first .. first + count - 1 lie in, and ``spread`` more at each end, within the image."""
    return max(first // CELL - spread, 0), min((first + count - 1) // CELL + 1 + spread, -(-side // CELL))


def _gray(image: UInt8[ndarray, "height width channels"]) -> Float32[ndarray, "height width"]:
    weights = np.array([0.299, 0.587, 0.114], np.float32) / 255
    if image.shape[2] != 3:
        return image.mean(axis=2, dtype=np.float32) / 255
    return image.astype(np.float32) @ weights


def _luminance(
    image: UInt8[ndarray, "height width channels"], y0: int, y1: int, x0: int, x1: int
) -> Float32[ndarray, "rows columns"]:
    """Mean luminance of cells; where the image ends inside a cell its last pixels stand for what is missing."""
    part = image[y0 * CELL : y1 * CELL, x0 * CELL : x1 * CELL]
    missing = [(0, (y1 - y0) * CELL - part.shape[0]), (0, (x1 - x0) * CELL - part.shape[1]), (0, 0)]
    part = np.pad(part, missing, mode="edge") if missing[0][1] or missing[1][1] else part
    # Rows are added before colours are weighed: sums of 8-bit values are exact and cheap.
    rows = np.add.reduceat(part, np.arange(0, part.shape[0], CELL), axis=0, dtype=np.uint32)
    cells = np.add.reduceat(rows, np.arange(0, part.shape[1], CELL), axis=1)
    weights = np.array([0.299, 0.587, 0.114]) if part.shape[2] == 3 else np.full(part.shape[2], 1 / part.shape[2])
    return (cells @ weights / (255 * CELL * CELL)).astype(np.float32)


def _guided(
    guide: Float32[ndarray, "rows columns"], values: Float32[ndarray, "rows columns"], radius: int
) -> tuple[Float32[ndarray, "rows columns"], Float32[ndarray, "rows columns"]]:
    """Averaged coefficients of the guided filter, eq. (5), (6) and (8): values = gain * guide + offset."""

    def mean(of: ndarray) -> ndarray:
        return ndimage.uniform_filter(of.astype(np.float64), 2 * radius + 1, mode="nearest")

    guide_mean, values_mean = mean(guide), mean(values)
    covariance = mean(guide * values) - guide_mean * values_mean
    variance = np.maximum(mean(guide * guide) - guide_mean**2, 0)
    gain = covariance / (variance + EPSILON)
    offset = values_mean - gain * guide_mean
    return mean(gain).astype(np.float32), mean(offset).astype(np.float32)


def _bilinear(
    grid: Float32[ndarray, "rows columns"], y: Float[ndarray, "height"], x: Float[ndarray, "width"]
) -> Float32[ndarray, "height width"]:
    """The grid at positions, ends repeated outside."""
    return (_lerp(_lerp(grid, y).T, x).T).astype(np.float32)


def _lerp(grid: ndarray, at: Float[ndarray, "positions"]) -> ndarray:
    at = np.clip(at, 0, grid.shape[0] - 1)
    low = np.minimum(at.astype(np.int64), max(grid.shape[0] - 2, 0))
    share = (at - low)[:, None].astype(np.float32)
    return grid[low] * (1 - share) + grid[np.minimum(low + 1, grid.shape[0] - 1)] * share
