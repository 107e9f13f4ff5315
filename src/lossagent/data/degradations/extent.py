"""Crops of images, and ranges of parameters, that degradations of equal size are given."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from lossagent.errors import Refused

Range = tuple[float, float]
"""Least and greatest value; drawn from uniformly."""


def cropped(
    image: UInt8[ndarray, "height width channels"], top: int, left: int, size: int
) -> UInt8[ndarray, "{size} {size} channels"]:
    """A square of an image; a view.

    Raises:
        Refused: it is not inside the image.
    """
    height, width = image.shape[:2]
    if min(top, left) < 0 or size < 1 or top + size > height or left + size > width:
        raise Refused(f"crop of {size} at ({top}, {left}) is not inside the image of {height} x {width}.")
    return image[top : top + size, left : left + size]


def check_range(name: str, values: Range, least: float, greatest: float) -> None:
    """Refuses a range that is upside down or reaches beyond the limits."""
    if not least <= values[0] <= values[1] <= greatest:
        raise Refused(f"{name} must be (low, high) within {least:g}..{greatest:g}; found {values}.")


def drawn(values: Range, rng: np.random.Generator) -> float:
    """A number from a range."""
    return float(rng.uniform(*values))
