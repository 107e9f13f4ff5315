"""Resizing as OpenCV does it: ``area``, ``bilinear`` and ``bicubic``; and MATLAB's antialiased ``smooth``.

The published degradations resize with ``cv2.resize`` (BSRGAN) and ``torch.nn.functional.interpolate`` (Real-ESRGAN),
whose bilinear and bicubic modes (a = -0.75) look at 2 or 4 pixels at any factor: the aliasing of cheap resizers is part
of what a restorer must learn, so it is kept. ``area`` is the exact mean over the pixel's box in both directions, as in
OpenCV; torch's ``area`` rounds the boxes to whole pixels, which is the same at whole factors only.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lossagent.data.degradations.bicubic import Taps
from lossagent.data.degradations.bicubic import taps as matlab_taps
from lossagent.errors import Refused

Mode = Literal["area", "bilinear", "bicubic", "smooth"]
MODES: tuple[Mode, Mode, Mode] = ("area", "bilinear", "bicubic")


def resize(
    images: Float[Tensor, "batch channels height width"], height: int, width: int, mode: Mode
) -> Float[Tensor, "batch channels rows columns"]:
    """Images of ``height`` x ``width`` pixels; bicubic modes can leave the range of the input a little.

    Raises:
        Refused: a size below 1.
    """
    if height < 1 or width < 1:
        raise Refused(f"height and width must be at least 1; found {height} x {width}.")
    if mode in ("bilinear", "bicubic"):
        return F.interpolate(images, (height, width), mode=mode, align_corners=False)
    make = area_taps if mode == "area" else matlab_taps
    for axis, size in ((-2, height), (-1, width)):
        if images.shape[axis] != size:
            images = _resample(images, make(images.shape[axis], size), axis)
    return images


def area_taps(length: int, size: int) -> Taps:
    """Each of ``size`` samples is the mean of ``length`` samples over its box; partly covered ones count in part."""
    factor = length / size
    low = np.arange(size) * factor
    first = np.floor(low + 1e-9).astype(np.int64)
    index = first[:, None] + np.arange(int(np.ceil(factor)) + 1)
    weight = np.minimum(index + 1, (low + factor)[:, None]) - np.maximum(index, low[:, None])
    weight = np.where((weight > 1e-9) & (index < length), weight, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    used = weight.any(axis=0)
    return Taps(np.minimum(index[:, used], length - 1), np.ascontiguousarray(weight[:, used]))


def _resample(
    images: Float[Tensor, "batch channels height width"], along: Taps, axis: int
) -> Float[Tensor, "batch channels rows columns"]:
    """Taps are added one by one: the same on every device and with any number of threads."""
    index = torch.from_numpy(along.index).to(images.device)
    weight = torch.from_numpy(along.weight).to(images.device, images.dtype)
    weight = weight[:, :, None] if axis == -2 else weight
    total: Tensor | None = None
    for tap in range(index.shape[1]):
        part = images.index_select(axis, index[:, tap]) * weight[:, tap]
        total = part if total is None else total.add_(part)
    assert total is not None
    return total
