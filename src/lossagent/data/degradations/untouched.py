"""No degradation: crops that are degraded later, on another device."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from lossagent.errors import Refused


class Untouched:
    """Gives the image back; scale 1."""

    @property
    def scale(self) -> int:
        """1."""
        return 1

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "rows columns channels"]:
        """The image itself."""
        del rng
        return image

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """The crop itself; see the protocol."""
        del rng
        height, width = image.shape[:2]
        if min(top, left) < 0 or size < 1 or top + size > height or left + size > width:
            raise Refused(f"crop of {size} at ({top}, {left}) is not inside the image of {height} x {width}.")
        return image[top : top + size, left : left + size]
