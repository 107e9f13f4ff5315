"""What a degradation is: high-resolution pixels -> low-quality pixels, with its scale."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray


@runtime_checkable
class Degradation(Protocol):
    """Makes the input of a restorer from a clean photograph. All randomness comes from the generator given."""

    @property
    def scale(self) -> int:
        """How many times smaller the result is; 1 for denoising and the like."""
        ...

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "rows columns channels"]:
        """The whole image degraded: ``height // scale`` x ``width // scale`` pixels, RGB.

        Raises:
            Refused: an image smaller than ``scale``.
        """
        ...

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """A square crop of the degraded image, computed from the pixels that it needs.

        Args:
            image: the whole high-resolution image.
            top, left, size: the crop, in pixels of the result.
            rng: where random numbers come from.

        Raises:
            Refused: a crop that is not inside the degraded image.
        """
        ...
