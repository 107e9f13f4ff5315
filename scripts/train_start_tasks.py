"""What start checkpoints are trained on: how low-quality images are made, and what doing nothing gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lossagent.data.degradations import Bicubic, Degradation, bicubic, imresize, modcrop
from lossagent.data.degradations.added_noise import AddedNoise
from lossagent.data.degradations.bsrgan import BSRGAN
from lossagent.data.degradations.haze import SyntheticHaze
from lossagent.data.degradations.rain import SyntheticRain
from lossagent.data.images import ImageCache, NamedImage
from lossagent.data.mixture import MixedSampler
from lossagent.data.patches import Batch, PatchSampler
from lossagent.data.sets import name_rng

Pixels = NDArray[np.uint8]


class Batches(Protocol):
    """Training data."""

    def batch(self, window: int, iteration: int, batch_size: int) -> Batch:
        """The batch of an iteration."""
        ...


@dataclass(frozen=True, eq=False)
class Sample:
    """One image to measure on: the input, what doing nothing gives at full size, the truth."""

    name: str
    low: Pixels
    untouched: Pixels
    high: Pixels


@dataclass(frozen=True)
class Task:
    """A kind of training data.

    Attributes:
        sampler: (photographs, scale, patch, seed) -> batches.
        samples: a clean image at a scale -> what is measured on it.
        what, protocol, untouched, limits: words for the card.
    """

    sampler: Callable[[Sequence[NamedImage], int, int, int], Batches]
    samples: Callable[[NamedImage, int], list[Sample]]
    what: str
    protocol: str
    untouched: str
    limits: str


def _bicubic_samples(image: NamedImage, scale: int) -> list[Sample]:
    high = modcrop(image.pixels(), scale)
    low = bicubic(high, scale)
    return [Sample(image.name, low, imresize(low, high.shape[0], high.shape[1]), high)]


def _degraded_samples(image: NamedImage, scale: int) -> list[Sample]:
    high = modcrop(image.pixels(), scale)
    low = BSRGAN(scale)(high, name_rng(image.name))
    return [Sample(image.name, low, imresize(low, high.shape[0], high.shape[1]), high)]


def _conditions() -> dict[str, tuple[Degradation, float]]:
    """Condition -> its degradation, and how often it is drawn."""
    noise: dict[str, tuple[Degradation, float]] = {f"noise{s}": (AddedNoise(s), 1.0) for s in (15, 25, 50)}
    return noise | {"rain": (SyntheticRain(), 2.0), "haze": (SyntheticHaze(), 2.0)}


def _conditioned_sampler(images: Sequence[NamedImage], scale: int, patch: int, seed: int) -> Batches:
    cache = ImageCache(1 << 30)
    parts = [
        (PatchSampler(images, scale, patch, degradation, seed, cache=cache), weight)
        for degradation, weight in _conditions().values()
    ]
    return MixedSampler(parts, seed)


def _conditioned_samples(image: NamedImage, scale: int) -> list[Sample]:
    """The image in each condition; sides are cropped to multiples of 16 and to 256 at most, to keep measuring short."""
    pixels = image.pixels()
    top, left = ((side - min(side // 16 * 16, 256)) // 2 for side in pixels.shape[:2])
    high = pixels[top : top + min(pixels.shape[0] // 16 * 16, 256), left : left + min(pixels.shape[1] // 16 * 16, 256)]
    samples: list[Sample] = []
    for condition, (degradation, _) in _conditions().items():
        low = degradation(high, name_rng(image.name))
        samples.append(Sample(f"{image.name}-{condition}", low, low, high))
    return samples


TASKS = {
    "bicubic": Task(
        lambda images, scale, patch, seed: PatchSampler(images, scale, patch, Bicubic(scale), seed),
        _bicubic_samples,
        "MATLAB's bicubic reduction",
        "PSNR of Y, 8-bit output, BT.601 limited range, border of the scale cut off, MATLAB bicubic input",
        "bicubic",
        "Knows bicubic reduction only. Noise, JPEG traces and blur are sharpened along with everything else.",
    ),
    "bsrgan": Task(
        lambda images, scale, patch, seed: PatchSampler(images, scale, patch, BSRGAN(scale), seed),
        _degraded_samples,
        "BSRGAN's degradation, seven operations in random order",
        "PSNR of Y, 8-bit output, BT.601 limited range, border of the scale cut off, inputs degraded by file name",
        "bicubic",
        "Small, and trained for PSNR: it removes noise and JPEG traces and leaves pictures soft.",
    ),
    "all-in-one": Task(
        _conditioned_sampler,
        _conditioned_samples,
        "noise of sigma 15, 25 and 50, synthetic rain and synthetic haze",
        "mean RGB PSNR over the five conditions, 8-bit output, middle 256 x 256 at most, noise by file name",
        "input",
        "Narrow. Its rain and haze are made up: nothing is claimed about Rain100L or SOTS.",
    ),
}
