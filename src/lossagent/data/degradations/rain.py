"""Synthetic rain streaks, for where no published rain data are at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from scipy import fft

from lossagent.data.degradations.extent import Range, check_range, cropped, drawn


@dataclass(frozen=True)
class Streaks:
    """One layer of rain.

    Attributes:
        density: streaks a pixel.
        length, width: of a streak, pixels; the width is the standard deviation of its profile.
        angle: from the vertical, degrees; positive leans to the right at the bottom.
        brightness: of the brightest streak, in units of white.
    """

    density: float
    length: float
    angle: float
    width: float
    brightness: float

    @property
    def reach(self) -> int:
        """How far a streak extends from its middle, pixels."""
        return math.ceil(self.length / 2 + 3 * self.width)

    def kernel(self) -> Float32[ndarray, "side side"]:
        """A single streak of height 1: a line segment with a Gaussian profile, the blur of a drop by its motion."""
        row, column = np.mgrid[-self.reach : self.reach + 1, -self.reach : self.reach + 1].astype(np.float32)
        slant = math.radians(self.angle)
        along = row * math.cos(slant) + column * math.sin(slant)
        across = column * math.cos(slant) - row * math.sin(slant)
        beyond = np.maximum(np.abs(along) - self.length / 2, 0)
        return np.exp(-(beyond**2 + across**2) / (2 * self.width**2)).astype(np.float32)

    def layer(self, height: int, width: int, rng: np.random.Generator) -> Float32[ndarray, "{height} {width}"]:
        """Light that the streaks add, in units of white: sparse noise blurred along the direction of fall."""
        reach = self.reach
        rows, columns = height + 2 * reach, width + 2 * reach
        drops = np.zeros((rows, columns), np.float32)
        count = int(rng.poisson(self.density * rows * columns))
        places = rng.integers(rows * columns, size=count)
        np.maximum.at(drops.reshape(-1), places, rng.uniform(0.4, 1.0, count).astype(np.float32))
        shape = fft.next_fast_len(rows, real=True), fft.next_fast_len(columns, real=True)
        product = fft.rfft2(drops, shape) * fft.rfft2(self.kernel(), shape)
        # Circular convolution is exact where the kernel lies within: from 2 * reach on, both ways.
        blurred = fft.irfft2(product, shape)[2 * reach :, 2 * reach :][:height, :width]
        return np.clip(self.brightness * blurred, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class SyntheticRain:
    """Rain streaks added to a photograph: O = B + S with a layer of near and a layer of far streaks.

    The additive model of rain removal [Li et al., CVPR 2016; Yang et al., CVPR 2017], streaks as motion-blurred noise.
    Direction is common to both layers within 3 degrees; far streaks are shorter, thinner, dimmer and denser. This is
    not Rain100L, and its name says so.

    Attributes:
        density: streaks a pixel of the near layer.
        length: of near streaks, pixels.
        angle: from the vertical, degrees.
        width: standard deviation of a near streak's profile, pixels.
        brightness: of near streaks, in units of white.

    Raises:
        Refused: a range that is upside down or beyond what makes sense.
    """

    density: Range = (0.0004, 0.0016)
    length: Range = (16.0, 48.0)
    angle: Range = (-30.0, 30.0)
    width: Range = (0.5, 1.1)
    brightness: Range = (0.3, 0.7)

    def __post_init__(self) -> None:
        check_range("density", self.density, 0.0, 0.1)
        check_range("length", self.length, 1.0, 200.0)
        check_range("angle", self.angle, -90.0, 90.0)
        check_range("width", self.width, 0.3, 10.0)
        check_range("brightness", self.brightness, 0.0, 1.0)

    @property
    def scale(self) -> int:
        """1."""
        return 1

    @property
    def name(self) -> str:
        """For file names and tables."""
        return "synthetic-rain"

    @property
    def label(self) -> str:
        """For readers."""
        return "synthetic rain"

    def layers(self, rng: np.random.Generator) -> tuple[Streaks, Streaks]:
        """The near and the far layer of one image."""
        density, length = drawn(self.density, rng), drawn(self.length, rng)
        angle, width = drawn(self.angle, rng), drawn(self.width, rng)
        brightness, lean = drawn(self.brightness, rng), float(rng.uniform(-3, 3))
        near = Streaks(density, length, angle, width, brightness)
        return near, Streaks(2 * density, length / 2, angle + lean, max(0.7 * width, 0.3), 0.6 * brightness)

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "height width channels"]:
        """The image in the rain, equally bright in all channels."""
        height, width = image.shape[:2]
        light = np.zeros((height, width), np.float32)
        for layer in self.layers(rng):
            light += layer.layer(height, width, rng)
        return np.clip(image + 255 * light[..., None] + 0.5, 0, 255).astype(np.uint8)

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """The crop in the rain: equal in law to a crop of the whole, streaks entering from outside included.

        Raises:
            Refused: a crop that is not inside the image.
        """
        return self(cropped(image, top, left, size), rng)
