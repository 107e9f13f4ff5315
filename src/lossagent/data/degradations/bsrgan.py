"""BSRGAN: blur, downsampling, noise, JPEG and camera noise in random order [Zhang et al., ICCV 2021].

Two Gaussian blurs, two resizings (the second, which fixes the size, after the first), Gaussian noise, JPEG and camera
noise are shuffled; at scale 4 the image is sometimes halved before all that; a JPEG always ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lossagent.data.degradations.camera import Camera, camera_noise, draw_camera
from lossagent.data.degradations.context import around, reduced, to_pixels, to_tensor
from lossagent.data.degradations.draws import NumpyDraws
from lossagent.data.degradations.filtering import filter2d
from lossagent.data.degradations.jpeg import codec_batch
from lossagent.data.degradations.kernel_draws import GaussianBlur, Range, check_range, draw_gaussian_kernel
from lossagent.data.degradations.kernels import gaussian_kernel
from lossagent.data.degradations.pixel_noise import correlated_noise, gaussian_noise, random_covariance
from lossagent.data.degradations.resizing import MODES, Mode, resize
from lossagent.errors import Refused

Images = Float[Tensor, "1 channels height width"]
Resized = Float[Tensor, "1 channels rows columns"]


@dataclass(frozen=True)
class BSRGANRanges:
    """What BSRGAN draws from; the defaults are the published ones.

    Attributes:
        blur: of both blurs.
        half_first: probability that the image is halved before everything else, at scale 4.
        resize: probability that the first downsampling is a resize by 1 / U(1, 2 scale), rather than a shifted
            Gaussian blur and taking every ``scale``-th pixel.
        shifted_size, shifted_sigma: side of that Gaussian; range of its standard deviation: from the first, in pixels,
            to the second times ``scale``.
        noise: range of the noise's standard deviation, 8-bit steps, whole numbers.
        colour, gray: shares of noise that differs between channels and that does not; the rest is correlated.
        jpeg: probability of the JPEG among the shuffled operations.
        quality: range of all JPEG qualities.
        camera: probability of camera noise.
        isp: how camera noise is drawn.

    Raises:
        Refused: probabilities that are none, or empty ranges.
    """

    blur: GaussianBlur = field(default_factory=GaussianBlur)
    half_first: float = 0.25
    resize: float = 0.75
    shifted_size: int = 25
    shifted_sigma: Range = (0.1, 0.6)
    noise: tuple[int, int] = (2, 25)
    colour: float = 0.4
    gray: float = 0.4
    jpeg: float = 0.9
    quality: tuple[int, int] = (30, 95)
    camera: float = 0.25
    isp: Camera = field(default_factory=Camera)

    def __post_init__(self) -> None:
        shares = self.half_first, self.resize, self.colour, self.gray, self.jpeg, self.camera, self.colour + self.gray
        if any(not 0 <= share <= 1 for share in shares):
            raise Refused(f"probabilities of BSRGAN must lie in 0..1, colour + gray too; found {shares}.")
        if not 0 <= self.noise[0] <= self.noise[1] or not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise Refused(f"noise must be >= 0, quality in 1..100, as (low, high); found {self.noise}, {self.quality}.")
        if self.shifted_size < 1 or self.shifted_size % 2 == 0 or not self.shifted_sigma[0] > 0:
            raise Refused("shifted_size must be odd and shifted_sigma above 0.")
        check_range("shifted_sigma", self.shifted_sigma)


@dataclass(frozen=True)
class BSRGAN:
    """The degradation of real-world super-resolution by random order.

    Attributes:
        scale: reduction factor, at least 1.
        ranges: what is drawn from.
        margin: high-quality pixels around a crop that are degraded with it, where the image has them.

    Raises:
        Refused: a scale below 1 or a negative margin.
    """

    scale: int
    ranges: BSRGANRanges = field(default_factory=BSRGANRanges)
    margin: int = 72

    def __post_init__(self) -> None:
        if self.scale < 1 or self.margin < 0:
            raise Refused(f"scale must be >= 1 and margin >= 0; found {self.scale} and {self.margin}.")

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "rows columns channels"]:
        """The whole image degraded; see the protocol."""
        rows, columns = reduced(image, self.scale)
        cut = image[: rows * self.scale, : columns * self.scale]
        return to_pixels(_degrade(to_tensor(cut), rows, columns, self.scale, self.ranges, rng))

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """A crop degraded with its surroundings; see the protocol."""
        window = around(*reduced(image, self.scale), top, left, size, -(-self.margin // self.scale), rng)
        s = self.scale
        part = image[window.top * s : window.bottom * s, window.left * s : window.right * s]
        rows, columns = window.bottom - window.top, window.right - window.left
        low = to_pixels(_degrade(to_tensor(part), rows, columns, s, self.ranges, rng))
        return low[window.row : window.row + size, window.column : window.column + size]


def _degrade(
    images: Images, rows: int, columns: int, scale: int, ranges: BSRGANRanges, rng: np.random.Generator
) -> Resized:
    """``images`` at ``scale`` times ``rows`` x ``columns`` -> that size."""
    left = float(scale)
    if scale == 4 and rng.random() < ranges.half_first:
        images = _halved(images, rng)
        left = 2.0
    order = [int(number) for number in rng.permutation(7)]
    one, two = order.index(DOWN), order.index(TO_SIZE)
    if one > two:
        order[one], order[two] = order[two], order[one]
    for operation in order:
        if operation in (BLUR, BLUR_AGAIN):
            images = _blurred(images, left, ranges, rng)
        elif operation == DOWN:
            images = _reduced_at_random(images, left, ranges, rng)
        elif operation == TO_SIZE:
            images = resize(images, rows, columns, _mode(rng)).clamp(0, 1)
        else:
            images = PIXELWISE[operation](images, ranges, rng)
    return _compressed(images, ranges, rng)


BLUR, BLUR_AGAIN, DOWN, TO_SIZE, NOISE, JPEG, CAMERA = range(7)


def _halved(images: Images, rng: np.random.Generator) -> Resized:
    height, width = images.shape[-2] // 2, images.shape[-1] // 2
    mode: Mode = _mode(rng) if rng.random() < 0.5 else "smooth"
    return resize(images, height, width, mode).clamp(0, 1)


def _blurred(images: Images, scale: float, ranges: BSRGANRanges, rng: np.random.Generator) -> Images:
    kernel = draw_gaussian_kernel(rng, ranges.blur, scale)
    return filter2d(images, torch.from_numpy(kernel).to(images.dtype)[None])


def _reduced_at_random(images: Images, scale: float, ranges: BSRGANRanges, rng: np.random.Generator) -> Resized:
    height, width = images.shape[-2:]
    if rng.random() < ranges.resize:
        factor = rng.uniform(1, 2 * scale)
        return resize(images, max(1, int(height / factor)), max(1, int(width / factor)), _mode(rng)).clamp(0, 1)
    sigma = rng.uniform(ranges.shifted_sigma[0], ranges.shifted_sigma[1] * scale)
    # Pixel 0 of the result stands for pixels 0 .. scale-1, whose middle is (scale-1)/2.
    kernel = gaussian_kernel(ranges.shifted_size, sigma, shift=(scale - 1) / 2)
    step = int(scale)
    return filter2d(images, torch.from_numpy(kernel).to(images.dtype)[None])[..., ::step, ::step].clamp(0, 1)


def _noisy(images: Images, ranges: BSRGANRanges, rng: np.random.Generator) -> Images:
    level, kind = int(rng.integers(ranges.noise[0], ranges.noise[1] + 1)) / 255, rng.random()
    draws = NumpyDraws(rng)
    if kind >= ranges.colour + ranges.gray and images.shape[1] == 3:
        noise = correlated_noise(images, random_covariance(rng, ranges.noise[1] / 255), draws)
    else:
        gray = np.array([kind >= ranges.colour])
        noise = gaussian_noise(images, torch.tensor([level], dtype=images.dtype), gray, draws)
    return (images + noise).clamp(0, 1)


def _compressed(images: Images, ranges: BSRGANRanges, rng: np.random.Generator) -> Images:
    return codec_batch(images, [int(rng.integers(ranges.quality[0], ranges.quality[1] + 1))])


def _perhaps_compressed(images: Images, ranges: BSRGANRanges, rng: np.random.Generator) -> Images:
    return _compressed(images, ranges, rng) if rng.random() < ranges.jpeg else images


def _through_camera(images: Images, ranges: BSRGANRanges, rng: np.random.Generator) -> Images:
    if rng.random() >= ranges.camera or images.shape[1] != 3:
        return images
    return camera_noise(images, draw_camera(rng, ranges.isp), NumpyDraws(rng))


PIXELWISE: dict[int, Callable[[Images, BSRGANRanges, np.random.Generator], Images]] = {
    NOISE: _noisy,
    JPEG: _perhaps_compressed,
    CAMERA: _through_camera,
}


def _mode(rng: np.random.Generator) -> Mode:
    return MODES[int(rng.integers(len(MODES)))]
