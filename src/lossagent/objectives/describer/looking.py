"""Measures a restored image against its reference, or against its input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8
from numpy import ndarray

from lossagent.data.degradations.bicubic import imresize
from lossagent.metrics.lattice import TILE, lattice_peak
from lossagent.objectives.base import Pixels
from lossagent.objectives.describer.blocks import blocking
from lossagent.objectives.describer.edges import Edges, find_edges, steepness
from lossagent.objectives.describer.grain import noise_level
from lossagent.objectives.describer.plane import Plane, luma, plane
from lossagent.objectives.describer.profiles import clean_edges, profile
from lossagent.objectives.describer.seeing import Base, Look, Seen
from lossagent.objectives.describer.texture import agreement, energy, fine, gains, kept, medium, textured
from lossagent.objectives.describer.tint import BLOCK, areas, tint
from lossagent.restorers import from_uint8

SPOT = 8
"""Side in pixels of the areas in which a difference of luma is looked for."""


@dataclass(frozen=True, eq=False)
class View:
    """An image as everything is measured on it: its luma, where its edges are, and its noise."""

    image: Plane
    edges: Edges
    clean: Edges | None
    away: Bool[ndarray, "height width"]
    noise: float | None


@dataclass(frozen=True, eq=False)
class Ground:
    """What a restored image is compared with, made ready. Edges are found here and never in the restored image.

    Attributes:
        base: a reference or an input.
        scale: how many times smaller inputs are than restored images.
        view: the reference, or the input enlarged to the size of the restored image.
        detail: where texture is compared: the reference, or the input in its own size.
        look: measures of the reference or input.
        areas: colours of its areas.
        side: pixels of the restored image that one of these areas is high and wide.
    """

    base: Base
    scale: int
    view: View
    detail: View
    look: Look
    areas: Float64[ndarray, "rows columns 3"]
    side: int


def reference_ground(pixels: Pixels, scale: int) -> Ground:
    """A reference, of the size of the restored image."""
    grey = luma(pixels)
    seen = _view(grey)
    look = _look(pixels, grey, seen.image, seen, seen.noise, scale)
    return Ground("reference", scale, seen, seen, look, areas(pixels, BLOCK), BLOCK)


def input_ground(pixels: Pixels, scale: int) -> Ground:
    """An input, ``scale`` times smaller than the restored image."""
    grey = luma(pixels)
    own = _view(grey)
    side = max(1, BLOCK // scale)
    if scale == 1:
        look = _look(pixels, grey, own.image, own, own.noise, scale)
        return Ground("input", scale, own, own, look, areas(pixels, side), side)
    large = _view(imresize(grey, grey.shape[0] * scale, grey.shape[1] * scale))
    # Enlarging hides noise and blocks, and a lattice or fine texture would be its own.
    mean = profile(large.image, large.clean)
    look = Look(
        gradient=steepness(large.image, large.edges, 0.0),
        width=mean.width if mean is not None else None,
        halo=mean.halo if mean is not None else None,
        noise=own.noise,
        blocking=blocking(grey),
        lattice=None,
        fine=None,
    )
    return Ground("input", scale, large, own, look, areas(pixels, side), side * scale)


def see(restored: Pixels, on: Ground) -> Seen:
    """All measures of a restored image, at the edges and in the areas of what it is compared with.

    Args:
        restored: of the reference's size, or ``scale`` times the input's.
        on: from :func:`reference_ground` or :func:`input_ground`.
    """
    grey = luma(restored)
    image = plane(grey)
    noise = noise_level(image)
    look = _look(restored, grey, image, on.view, noise, on.scale)
    detail = image
    if on.detail is not on.view:
        detail = plane(luma(imresize(restored, *on.detail.image.luma.shape)))
        noise = noise_level(detail)
    shares = _texture(detail, noise, on.detail)
    difference = areas(restored, on.side) - on.areas
    return Seen(
        base=on.base,
        enlarged=on.detail is not on.view,
        image=look,
        compared=on.look,
        fine=shares[0],
        medium=shares[1],
        agreement=shares[2] if on.base == "reference" else None,
        tint=tint(difference),
        difference=_largest(image.luma - on.view.image.luma),
        colour_difference=float(np.sqrt(np.square(difference).sum(axis=-1)).max()),
    )


def apart(restored: Pixels, other: Pixels) -> float:
    """How far two images of one size differ: the largest root mean square of any channel in any 8x8 px area.

    Returns:
        grey levels, 0 = identical.
    """
    difference = restored.astype(np.float32) - other
    return max(_largest(difference[..., channel]) for channel in range(3))


def _view(grey: UInt8[ndarray, "height width"]) -> View:
    image = plane(grey)
    edges = find_edges(image)
    return View(image, edges, clean_edges(image, edges), textured(edges), noise_level(image))


def _look(
    pixels: Pixels, grey: UInt8[ndarray, "height width"], image: Plane, where: View, noise: float | None, scale: int
) -> Look:
    steps = blocking(grey)
    if scale > 1 and min(grey.shape) // scale >= 2 * SPOT:
        # Blocks of a small input are `scale` times as large in what is restored from it.
        small = imresize(grey, grey.shape[0] // scale, grey.shape[1] // scale)
        steps = max(steps, blocking(small))
    detail = energy(fine(image), where.away, noise or 0.0, gains()[0]).signal
    lattice = float(lattice_peak(from_uint8(pixels))[0]) if min(grey.shape) >= TILE else None
    mean = profile(image, where.clean)
    return Look(
        gradient=steepness(image, where.edges, noise or 0.0),
        width=mean.width if mean is not None else None,
        halo=mean.halo if mean is not None else None,
        noise=noise,
        blocking=steps,
        lattice=lattice,
        fine=detail,
    )


def _texture(image: Plane, noise: float | None, on: View) -> tuple[float | None, float | None, float | None]:
    """Shares kept of the fine and the medium band, and the agreement of the fine one."""
    shares: list[float | None] = []
    for band, gain in zip((fine, medium), gains(), strict=True):
        pair = [energy(band(of), on.away, level or 0.0, gain) for of, level in ((image, noise), (on.image, on.noise))]
        shares.append(kept(*pair))
    same = agreement(fine(image), fine(on.image), on.away)
    return shares[0], shares[1], same if shares[0] is not None else None


def _largest(difference: Float[ndarray, "height width"]) -> float:
    rows, columns = difference.shape[0] // SPOT, difference.shape[1] // SPOT
    cut = difference[: rows * SPOT, : columns * SPOT].reshape(rows, SPOT, columns, SPOT)
    return float(np.sqrt(np.square(cut).mean(axis=(1, 3)).max()))
