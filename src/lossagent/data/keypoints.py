"""Scale-invariant keypoints for finding that one image is a part of another, whatever its scale.

Extrema of a difference-of-Gaussians pyramid [Lowe, IJCV 60(2), 2004, section 3]. The descriptor is simpler than
Lowe's: the smoothed 8 x 8 patch around the point, its cosine transform weighted by frequency so that the 1/f
spectrum of photographs does not make all patches alike. There is no rotation invariance; mirror images are compared
by mirroring the descriptor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from scipy import fft, ndimage

SIDE = 8
LEVELS = 3
SIGMA = 1.6
SPACING = 1.5
"""Distance of the descriptor's samples in units of the point's sigma."""
EDGE, FAINTEST = 4, 0.004
"""Pixels left out at the border, and the least difference of Gaussians that counts, of 1 for white."""
QUOTAS = (110, 80, 50, 30, 20)
"""Strongest points kept in each octave, finest first: coarse ones are few but reach far in scale."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Points of one image.

    Attributes:
        where: (y, x, sigma) in pixels of the image that was given.
        descriptor: unit vectors.
    """

    where: Float32[ndarray, "points 3"]
    descriptor: Float32[ndarray, "points 63"]


@dataclass(frozen=True)
class Placement:
    """How many points agree that image B is image A scaled and moved.

    Attributes:
        votes: matches that agree.
        scale: size of things in B relative to A.
        offset: (y, x) in B of A's origin, pixels.
        mirrored: whether B is mirrored.
    """

    votes: int
    scale: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False


def keypoints(gray: Float32[ndarray, "height width"]) -> Keypoints:
    """Up to 290 points of a gray image in [0, 1], at least 24 pixels a side (fewer give none)."""
    where: list[Float32[ndarray, "points 3"]] = []
    patches: list[Float32[ndarray, "points 8 8"]] = []
    base = ndimage.gaussian_filter(gray, (SIGMA**2 - 0.25) ** 0.5, truncate=3)
    for octave, quota in enumerate(QUOTAS):
        if min(base.shape) < 24:
            break
        stack = _levels(base)
        found = _extrema(stack, quota)
        patches.append(_patches(stack, found))
        sigma = SIGMA * 2.0 ** (found[:, 0] / LEVELS)
        where.append(np.stack([found[:, 1], found[:, 2], sigma], axis=1) * np.float32(2**octave))
        base = stack[LEVELS, ::2, ::2]
    if not where:
        empty = np.zeros((0, SIDE * SIDE - 1), np.float32)
        return Keypoints(np.zeros((0, 3), np.float32), empty)
    return Keypoints(np.concatenate(where).astype(np.float32), _describe(np.concatenate(patches)))


def place(a: Keypoints, b: Keypoints, width_b: int, least: float = 0.8) -> Placement:
    """The scaling and shift of A, upright or mirrored, that most matched points agree on.

    Args:
        a, b: points of two images.
        width_b: width of image B, for mirroring.
        least: similarity from which two mutually nearest descriptors count as a match.
    """
    straight = _consensus(a.where, b.where, *_matches(a.descriptor, b.descriptor, least))
    flipped_where = b.where * np.array([1, -1, 1], np.float32) + np.array([0, width_b - 1, 0], np.float32)
    flipped = _consensus(a.where, flipped_where, *_matches(a.descriptor, b.descriptor * _mirror(), least))
    if flipped.votes > straight.votes:
        return Placement(flipped.votes, flipped.scale, flipped.offset, True)
    return straight


def _levels(base: Float32[ndarray, "height width"]) -> Float32[ndarray, "levels height width"]:
    """Gaussian levels base .. base * 2^(4/3), LEVELS a factor of two, plus two for extrema."""
    stack = [base]
    for level in range(1, LEVELS + 3):
        before, after = SIGMA * 2 ** ((level - 1) / LEVELS), SIGMA * 2 ** (level / LEVELS)
        stack.append(ndimage.gaussian_filter(stack[-1], (after**2 - before**2) ** 0.5, truncate=3))
    return np.stack(stack)


def _extrema(stack: Float32[ndarray, "levels height width"], quota: int) -> Float32[ndarray, "points 3"]:
    """The strongest (level, y, x) that stand out among their 26 neighbours."""
    response = np.diff(stack, axis=0)
    strength = np.abs(response)
    # Maxima of both signs at once: a dark spot has no strong bright neighbour at its own scale.
    highest = strength
    for axis in range(3):
        highest = _highest_of_three(highest, axis)
    inner = strength[1:-1, EDGE:-EDGE, EDGE:-EDGE]
    peak = (inner == highest[:, EDGE - 1 : 1 - EDGE, EDGE - 1 : 1 - EDGE]) & (inner > FAINTEST)
    found = np.argwhere(peak) + np.array([1, EDGE, EDGE])
    order = np.argsort(-inner[peak], kind="stable")[:quota]
    return found[order].astype(np.float32)


def _highest_of_three(values: Float32[ndarray, "l h w"], axis: int) -> Float32[ndarray, "..."]:
    """Maximum of each value and its two neighbours along an axis, which gets two shorter."""
    moved = np.moveaxis(values, axis, 0)
    return np.moveaxis(np.maximum(np.maximum(moved[:-2], moved[1:-1]), moved[2:]), 0, axis)


def _patches(
    stack: Float32[ndarray, "levels height width"], found: Float32[ndarray, "points 3"]
) -> Float32[ndarray, "points 8 8"]:
    grid = (np.arange(SIDE) - (SIDE - 1) / 2) * SPACING
    sigma = SIGMA * 2.0 ** (found[:, 0] / LEVELS)
    y = found[:, 1, None, None] + sigma[:, None, None] * grid[None, :, None]
    x = found[:, 2, None, None] + sigma[:, None, None] * grid[None, None, :]
    y, x = np.broadcast_arrays(y, x)
    out = np.empty(y.shape, np.float32)
    for level in range(1, LEVELS + 1):
        here = found[:, 0] == level
        out[here] = ndimage.map_coordinates(stack[level], [y[here], x[here]], order=1, mode="nearest")
    return out


@lru_cache(maxsize=1)
def _weights() -> Float32[ndarray, "8 8"]:
    row, column = np.mgrid[:SIDE, :SIDE]
    return np.hypot(row, column).astype(np.float32)


@lru_cache(maxsize=1)
def _mirror() -> Float32[ndarray, "63"]:
    """Mirroring a patch changes the sign of its odd horizontal frequencies."""
    sign = np.where(np.arange(SIDE) % 2, np.float32(-1), np.float32(1))
    return np.tile(sign, SIDE)[1:]


def _describe(patches: Float32[ndarray, "points 8 8"]) -> Float32[ndarray, "points 63"]:
    spectrum = np.asarray(fft.dctn(patches, axes=(1, 2), norm="ortho"), np.float32) * _weights()
    flat = spectrum.reshape(len(patches), SIDE * SIDE)[:, 1:]
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _matches(a: Float32[ndarray, "n 63"], b: Float32[ndarray, "m 63"], least: float) -> tuple[ndarray, ndarray]:
    """Indices of mutually nearest descriptors."""
    if not len(a) or not len(b):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    likeness = a @ b.T
    forth, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.arange(len(a))
    good = (back[forth] == rows) & (likeness[rows, forth] >= least)
    return rows[good], forth[good]


def _consensus(
    where_a: Float32[ndarray, "n 3"], where_b: Float32[ndarray, "m 3"], index_a: ndarray, index_b: ndarray
) -> Placement:
    """Every match proposes a scaling and shift; the one with most agreeing matches wins, each point once."""
    if len(index_a) < 3:
        return Placement(len(index_a) and 1)
    a, b = where_a[index_a], where_b[index_b]
    scale = b[:, 2] / a[:, 2]
    offset = b[:, :2] - scale[:, None] * a[:, :2]
    error = scale[:, None, None] * a[None, :, :2] + offset[:, None] - b[None, :, :2]
    distance = np.hypot(error[..., 0], error[..., 1])
    # A level is a factor 1.26: scale, and with it where distant points should be, is known to that only.
    reach = np.abs(b[:, None, :2] - b[None, :, :2]).max(axis=-1)
    near = distance < np.maximum(4 * b[None, :, 2], 0.12 * reach)
    same = np.abs(np.log(scale[:, None] / scale[None])) < 0.3
    agree = near & same
    best = int(agree.sum(axis=1).argmax())
    inside = agree[best]
    fit_scale, fit_offset = _fit(a[inside, :2], b[inside, :2], float(scale[best]))
    return Placement(int(inside.sum()), fit_scale, fit_offset)


def _fit(a: ndarray, b: ndarray, scale: float) -> tuple[float, tuple[float, float]]:
    """Least squares of b = scale a + offset."""
    centre_a, centre_b = a.mean(axis=0), b.mean(axis=0)
    spread = float(((a - centre_a) ** 2).sum())
    if spread > 0:
        scale = float(((a - centre_a) * (b - centre_b)).sum()) / spread
    offset = centre_b - scale * centre_a
    return scale, (float(offset[0]), float(offset[1]))
