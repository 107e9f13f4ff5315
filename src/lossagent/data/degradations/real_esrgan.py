"""Real-ESRGAN: blur, resize, noise and JPEG, twice, with ringing at the end [Wang et al., ICCVW 2021]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from numpy import ndarray
from torch import Tensor

from lossagent.data.degradations.context import around, reduced, to_pixels, to_tensor
from lossagent.data.degradations.draws import Draws, NumpyDraws
from lossagent.data.degradations.filtering import filter2d
from lossagent.data.degradations.jpeg import codec_batch
from lossagent.data.degradations.kernels import padded
from lossagent.data.degradations.pixel_noise import gaussian_noise, poisson_noise
from lossagent.data.degradations.real_esrgan_plan import (
    Common,
    CommonRound,
    Own,
    OwnRound,
    Ranges,
    draw_common,
    draw_own,
)
from lossagent.data.degradations.resizing import resize
from lossagent.data.degradations.sharpening import usm_sharpen_batch
from lossagent.errors import Refused

Images = Float[Tensor, "batch channels height width"]
Resized = Float[Tensor, "batch channels rows columns"]
Compress = Callable[[Images, Sequence[int]], Images]


@dataclass(frozen=True)
class RealESRGAN:
    """The degradation of real-world super-resolution of second order, one image at a time on the CPU.

    Attributes:
        scale: reduction factor, at least 1.
        sharpen: degrade the unsharp-masked image rather than the image itself, as published.
        ranges: what is drawn from.
        margin: high-quality pixels around a crop that are degraded with it, where the image has them; published: 72
            on average (256 out of 400).

    Raises:
        Refused: a scale below 1 or a negative margin.
    """

    scale: int
    sharpen: bool = True
    ranges: Ranges = field(default_factory=Ranges)
    margin: int = 72

    def __post_init__(self) -> None:
        if self.scale < 1 or self.margin < 0:
            raise Refused(f"scale must be >= 1 and margin >= 0; found {self.scale} and {self.margin}.")

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "rows columns channels"]:
        """The whole image degraded; see the protocol."""
        rows, columns = reduced(image, self.scale)
        return self._degraded(image[: rows * self.scale, : columns * self.scale], rng)

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """A crop degraded with its surroundings; see the protocol."""
        s = self.scale
        window = around(*reduced(image, s), top, left, size, -(-self.margin // s), rng)
        part = image[window.top * s : window.bottom * s, window.left * s : window.right * s]
        low = self._degraded(part, rng)
        return low[window.row : window.row + size, window.column : window.column + size]

    def _degraded(
        self, part: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "rows columns channels"]:
        images = to_tensor(part)
        if self.sharpen:
            images = usm_sharpen_batch(images)
        common, own = draw_common(rng, self.ranges), draw_own(rng, self.ranges)
        return to_pixels(degrade(images, self.scale, common, [own], NumpyDraws(rng), codec_batch))


def degrade(
    images: Images, scale: int, common: Common, owns: Sequence[Own], draws: Draws, compress: Compress
) -> Resized:
    """A batch degraded with numbers that were drawn before: section 3 of the paper, figure 2.

    Args:
        images: in [0, 1], sides that are multiples of ``scale``.
        scale: reduction factor.
        common, owns: what was drawn for the batch and for each image.
        draws: where pixel noise comes from; on the device of the images.
        compress: JPEG of images in [0, 1] with these qualities.

    Returns:
        Images of ``1 / scale`` of the sides, 8-bit values in [0, 1].
    """
    rows, columns = images.shape[-2] // scale, images.shape[-1] // scale
    firsts, seconds = [own.first for own in owns], [own.second for own in owns]
    size = int(images.shape[-2] * common.first.factor), int(images.shape[-1] * common.first.factor)
    images = _round(images, size, common.first, firsts, draws)
    images = compress(images, [own.quality for own in firsts])
    size = int(rows * common.second.factor), int(columns * common.second.factor)
    images = _round(images, size, common.second, seconds, draws)
    qualities = [own.quality for own in seconds]
    if common.after:
        images = compress(images, qualities)
    images = resize(images, rows, columns, common.mode)
    sincs = [own.sinc for own in owns]
    if any(sinc is not None for sinc in sincs):
        images = filter2d(images, stacked([np.ones((1, 1)) if sinc is None else sinc for sinc in sincs], images))
    if not common.after:
        images = compress(images, qualities)
    return (images.clamp(0, 1) * 255).round() / 255


def stacked(
    kernels: Sequence[Float64[ndarray, "_ _"]], like: Float[Tensor, "..."]
) -> Float[Tensor, "batch largest largest"]:
    """Kernels of different sides in one tensor, zeros around the smaller ones; dtype and device of ``like``."""
    largest = max(len(kernel) for kernel in kernels)
    return torch.from_numpy(np.stack([padded(kernel, largest) for kernel in kernels])).to(like)


def _round(
    images: Images, size: tuple[int, int], common: CommonRound, owns: Sequence[OwnRound], draws: Draws
) -> Resized:
    """Blur, resize and noise of one round, clipped to [0, 1]."""
    if common.blurred:
        images = filter2d(images, stacked([own.kernel for own in owns], images))
    if size != tuple(images.shape[-2:]):
        images = resize(images, max(1, size[0]), max(1, size[1]), common.mode)
    gray = np.array([own.gray for own in owns])
    levels = [own.sigma / 255 if common.gaussian else own.poisson for own in owns]
    level = torch.tensor(levels, dtype=images.dtype, device=images.device)
    if common.gaussian:
        return (images + gaussian_noise(images, level, gray, draws)).clamp(0, 1)
    images = images.clamp(0, 1)
    return (images + poisson_noise(images, level, gray, draws)).clamp(0, 1)
