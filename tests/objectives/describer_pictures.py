"""Pictures whose measures are known, and damage to them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, special

from lossagent.objectives.base import Pixels

Levels = NDArray[np.float64]


def eight_bit(levels: Levels) -> Pixels:
    """Rounded to uint8; a gray plane becomes RGB."""
    levels = levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)
    return np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)


def edge(sigma: float, side: int = 128, at: float | None = None) -> Levels:
    """Two vertical edges from 60 to 180 and back, the integral of a Gaussian of ``sigma`` px."""
    x = np.arange(side, dtype=np.float64)
    first = side / 4 if at is None else at

    def step(centre: float) -> Levels:
        return 0.5 * (1 + special.erf((x - centre) / (sigma * np.sqrt(2))))

    return np.tile(60 + 120 * (step(first) - step(first + side / 2)), (side, 1))


def scene(seed: int = 0, side: int = 256) -> Pixels:
    """Discs of many gray levels on a slope, the lower half with fine texture: edges, flat parts and detail."""
    rng = np.random.default_rng(seed)
    row, column = np.indices((side, side), dtype=np.float64)
    levels = 90 + 40 * column / side
    for _ in range(14):
        r, c, radius = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(14, 34)
        cover = np.clip(radius - np.hypot(row - r, column - c) + 0.5, 0, 1)
        levels += cover * (rng.uniform(40, 215) - levels)
    texture = ndimage.gaussian_filter(rng.normal(size=(side, side)), 0.7)
    levels += np.where(row > side / 2, 8 * texture / texture.std(), 0)
    colours = np.stack([levels * 1.05, levels, levels * 0.9], axis=-1)
    return eight_bit(np.clip(colours, 5, 250))


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    return eight_bit(ndimage.gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0)))


def noisy(pixels: Pixels, sigma: float, seed: int = 1) -> Pixels:
    """The same noise on R, G and B: that is its deviation in luma as well."""
    return eight_bit(pixels + np.random.default_rng(seed).normal(0, sigma, (*pixels.shape[:2], 1)))


def sharpened(pixels: Pixels, amount: float = 1.0) -> Pixels:
    return eight_bit(pixels + amount * (pixels.astype(np.float64) - ndimage.gaussian_filter(pixels * 1.0, (2, 2, 0))))


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


def checkerboard(pixels: Pixels, amplitude: float) -> Pixels:
    signs = np.indices(pixels.shape[:2]).sum(axis=0) % 2 * 2.0 - 1
    return eight_bit(pixels + amplitude * signs[..., None])


def cast(pixels: Pixels, red: float, green: float, blue: float) -> Pixels:
    return eight_bit(pixels + np.array([red, green, blue]))
