"""Gaussian noise of a known standard deviation: the degradation of denoising benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from lossagent.data.degradations.extent import cropped
from lossagent.errors import Refused


@dataclass(frozen=True)
class AddedNoise:
    """White Gaussian noise on 8-bit values, clipped to 0..255 and cut to whole numbers, as PromptIR's data are made.

    The cut is a truncation there, not a rounding: a noisy image is darker by half a level on average.

    Attributes:
        sigma: standard deviation in 8-bit levels; 15, 25 and 50 in the literature.

    Raises:
        Refused: sigma is not above 0 or not finite.
    """

    sigma: float

    def __post_init__(self) -> None:
        if not 0 < self.sigma < float("inf"):
            raise Refused(f"sigma must be a positive number of 8-bit levels; found {self.sigma}.")

    @property
    def scale(self) -> int:
        """1."""
        return 1

    @property
    def name(self) -> str:
        """For file names and tables, e.g. ``noise-25``."""
        return f"noise-{self.sigma:g}"

    @property
    def label(self) -> str:
        """For readers, e.g. ``noise 25``."""
        return f"noise {self.sigma:g}"

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "height width channels"]:
        """The image with noise in every channel."""
        return np.clip(image + self.sigma * rng.standard_normal(image.shape), 0, 255).astype(np.uint8)

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """The crop with noise: equal in law to a crop of the whole, from other random numbers.

        Raises:
            Refused: a crop that is not inside the image.
        """
        return self(cropped(image, top, left, size), rng)
