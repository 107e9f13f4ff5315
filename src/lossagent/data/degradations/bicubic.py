"""MATLAB's ``imresize(..., 'bicubic')`` on 8-bit images: the degradation of classical super-resolution.

Keys' cubic kernel with a = -0.5 [Keys, IEEE TASSP 29(6), 1981], widened by the reduction factor (antialiasing),
symmetric padding. One pass a direction, the stronger reduction first (rows when equal), and each pass is rounded
to 8 bit by ``floor(x + 0.5)``. With that rounding the published low-resolution images of Set5 and Set14 come out
exactly; without it about one value in ten differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray

from lossagent.errors import Refused


@dataclass(frozen=True, eq=False)
class Taps:
    """For each output sample the input samples it is made of, and their weights; both ``[outputs, taps]``."""

    index: Int64[ndarray, "outputs taps"]
    weight: Float64[ndarray, "outputs taps"]


def imresize(
    image: UInt8[ndarray, "height width *channels"], height: int, width: int
) -> UInt8[ndarray, "rows columns *channels"]:
    """An image of ``height`` x ``width`` pixels, smaller or larger, as MATLAB's ``imresize(image, [height width])``.

    Raises:
        Refused: a size below 1.
    """
    if height < 1 or width < 1:
        raise Refused(f"height and width must be at least 1; found {height} x {width}.")
    rows, columns = taps(image.shape[0], height), taps(image.shape[1], width)
    rows_first = height * image.shape[1] <= width * image.shape[0]
    return _apply(image, rows, columns, rows_first)


def bicubic(image: UInt8[ndarray, "height width *channels"], scale: int) -> UInt8[ndarray, "rows columns *channels"]:
    """The image reduced ``scale`` times; what is beyond a multiple of ``scale`` is cut off at bottom and right.

    Raises:
        Refused: a scale below 1 or an image smaller than ``scale``.
    """
    image = modcrop(image, scale)
    return imresize(image, image.shape[0] // scale, image.shape[1] // scale)


def bicubic_patch(
    image: UInt8[ndarray, "height width *channels"], top: int, left: int, size: int, scale: int
) -> UInt8[ndarray, "{size} {size} *channels"]:
    """``bicubic(image, scale)[top:top + size, left:left + size]``, bit for bit, from the pixels it needs only.

    Args:
        image: the whole high-resolution image.
        top, left, size: the crop in low-resolution pixels.
        scale: reduction factor.

    Raises:
        Refused: a crop that is not inside the low-resolution image.
    """
    rows, columns = _reduced(image, scale)
    if min(top, left) < 0 or size < 1 or top + size > rows or left + size > columns:
        raise Refused(
            f"crop of {size} at ({top}, {left}) is not inside the low-resolution image of {rows} x {columns}."
        )
    vertical, horizontal = taps(rows * scale, rows), taps(columns * scale, columns)
    vertical = Taps(vertical.index[top : top + size], vertical.weight[top : top + size])
    index = horizontal.index[left : left + size]
    start, stop = int(index.min()), int(index.max()) + 1
    horizontal = Taps(index - start, horizontal.weight[left : left + size])
    return _apply(image[:, start:stop], vertical, horizontal, rows_first=True)


def modcrop(image: UInt8[ndarray, "height width *channels"], scale: int) -> UInt8[ndarray, "rows columns *channels"]:
    """The image cut at bottom and right to a multiple of ``scale``; a view."""
    rows, columns = _reduced(image, scale)
    return image[: rows * scale, : columns * scale]


@dataclass(frozen=True)
class Bicubic:
    """The degradation of classical super-resolution; it draws no random numbers.

    Attributes:
        scale: reduction factor, at least 1.
    """

    scale: int

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "rows columns channels"]:
        """See :func:`bicubic`."""
        del rng
        return bicubic(image, self.scale)

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """See :func:`bicubic_patch`."""
        del rng
        return bicubic_patch(image, top, left, size, self.scale)


@lru_cache(maxsize=256)
def taps(length: int, size: int) -> Taps:
    """The resampling of ``length`` samples to ``size``: MATLAB's ``contributions``, zero columns left out."""
    factor = size / length
    stretch = max(1.0, 1.0 / factor)
    reach = 4.0 * stretch
    centre = (np.arange(size) + 0.5) / factor - 0.5
    first = np.floor(centre - reach / 2).astype(np.int64)
    index = first[:, None] + np.arange(int(np.ceil(reach)) + 2)
    weight = cubic((centre[:, None] - index) / stretch)
    weight /= weight.sum(axis=1, keepdims=True)
    used = weight.any(axis=0)
    # Mirror with the border sample repeated: 0 1 2 2 1 0 0 1 ...
    folded = np.mod(index[:, used], 2 * length)
    folded = np.minimum(folded, 2 * length - 1 - folded)
    return Taps(folded, np.ascontiguousarray(weight[:, used]))


def cubic(x: Float64[ndarray, "*shape"]) -> Float64[ndarray, "*shape"]:
    """Keys' kernel with a = -0.5, eq. (15): support [-2, 2]."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _apply(
    image: UInt8[ndarray, "height width *channels"], rows: Taps, columns: Taps, rows_first: bool
) -> UInt8[ndarray, "rows columns *channels"]:
    if rows_first:
        return np.swapaxes(_pass(np.swapaxes(_pass(image, rows), 0, 1), columns), 0, 1)
    return _pass(np.swapaxes(_pass(np.swapaxes(image, 0, 1), columns), 0, 1), rows)


def _pass(image: UInt8[ndarray, "length width *channels"], along: Taps) -> UInt8[ndarray, "outputs width *channels"]:
    """Resamples the first axis. Taps are added one by one, so that a sample never depends on its neighbours'."""
    weight = along.weight.reshape(*along.weight.shape, *[1] * (image.ndim - 1))
    total = np.zeros((along.index.shape[0], *image.shape[1:]))
    for tap in range(along.index.shape[1]):
        total += weight[:, tap] * image[along.index[:, tap]]
    return np.clip(np.floor(total + 0.5), 0, 255).astype(np.uint8)


def _reduced(image: UInt8[ndarray, "height width *channels"], scale: int) -> tuple[int, int]:
    if scale < 1 or min(image.shape[:2]) < scale:
        raise Refused(f"scale must be from 1 to the image's shorter side {min(image.shape[:2])}; found {scale}.")
    return image.shape[0] // scale, image.shape[1] // scale
